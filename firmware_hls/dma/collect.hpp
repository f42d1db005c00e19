// collect: results out of a chain -> packets and completions in memory, then the ring's head.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/dma/memory.hpp"
#include "firmware_hls/dma/words.hpp"

namespace linecrypt {
namespace firmware {

// A chain's result as the host reads it.
inline ap_uint<512> completion_word(const PacketInfo& info, u32 epoch, u32 length, abi::VerdictCode verdict) {
  ap_uint<512> word(0);
  const u32 last = info.verdict_stage & 1U;
  set_word_of(word, 0, u64{epoch} | u64{info.cookie} << 32U);
  set_word_of(word, 1,
              u64{length} | u64{static_cast<u8>(verdict)} << 16U | u64{info.verdict_stage} << 24U |
                  u64{info.inner_length[last]} << 32U);
  set_word_of(word, 2, info.number[0]);
  set_word_of(word, 3, info.number[1]);
  set_word_of(word, 4, u64{info.inner_length[0]} | u64{info.inner_length[1]} << 32U);
  set_word_of(word, 5, u64{info.flags});
  return word;
}

class Collect {
 public:
  Collect(WritePort& packets, WritePort& completions, Stream<JobNote>& notes, Stream<PacketInfo>& infos,
          Stream<Beat>& beats, Stream<MoverReport>& reports)
      : packets_(packets),
        completions_(completions),
        notes_(notes),
        infos_(infos),
        beats_(beats),
        reports_(reports),
        note_valid_(false),
        info_valid_(false),
        note_(),
        info_(),
        left_(0),
        writes_(false),
        bad_(0),
        data_asked_(0),
        data_done_(0),
        done_asked_(0),
        done_done_(0),
        ends_(),
        first_end_(0),
        end_count_(0) {}

  // 1. The memory's answers.
  // 2. A batch whose every write was answered: only now may the host hear of it.
  // 3. One beat of the packet in hand, or the beginning of the next.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (packets_.answered()) {
      if (!packets_.take_answer()) ++bad_;
      ++data_done_;
    }
    if (completions_.answered()) {
      if (!completions_.take_answer()) ++bad_;
      ++done_done_;
    }
    // 2.
    if (end_count_ != 0 && !reports_.full()) {
      const End& end = ends_[first_end_];
      if (end.data == data_done_ || static_cast<u32>(data_done_ - end.data) < half) {
        if (end.done == done_done_ || static_cast<u32>(done_done_ - end.done) < half) {
          reports_.write(MoverReport{end.halt, end.head, end.bad + bad_});
          first_end_ = (first_end_ + 1) & (ends_most - 1);
          --end_count_;
        }
      }
    }
    // 3.
    if (left_ != 0) {
      go_on();
    } else {
      begin();
    }
  }
  bool busy() const {
    return note_valid_ || info_valid_ || left_ != 0 || end_count_ != 0 || !packets_.quiet() || !completions_.quiet();
  }

 private:
  static constexpr u32 ends_most = 8;
  static constexpr u32 half = 1U << 31U;  // counts wrap: "not before" is a difference below this

  struct End {
    u32 data;  // answers there must be
    u32 done;
    bool halt;
    u32 head;
    u32 bad;
  };

  void begin() {
    if (!note_valid_ && !notes_.empty()) {
      note_ = notes_.read();
      note_valid_ = true;
    }
    if (!note_valid_ || end_count_ == ends_most || !completions_.room(1)) return;
    if (!note_.job) {
      finish_note();
      return;
    }
    if (!info_valid_ && !infos_.empty()) {
      info_ = infos_.read();
      info_valid_ = true;
    }
    if (!info_valid_) return;
    if (info_.length == 0) {
      complete(0);
      return;
    }
    if (beats_.empty() || !packets_.room(words_of(info_.length))) return;
    left_ = info_.length;
    // A packet that no stage has finished with is not released; nor is one that does not fit.
    const bool open = info_.verdict == static_cast<u8>(abi::VerdictCode::pending) && info_.at < 2 &&
                      info_.operation[info_.at & 1U] != abi::Operation::none;
    if (open) info_.verdict = static_cast<u8>(abi::VerdictCode::wrong_operation);
    const bool fits = info_.length <= note_.room;
    if (!open && !fits) info_.verdict = static_cast<u8>(abi::VerdictCode::no_buffer);
    writes_ = !open && fits;
    if (writes_) {
      packets_.request(note_.output, words_of(info_.length));
      ++data_asked_;
    }
    go_on();
  }

  void go_on() {
    if (beats_.empty() || !completions_.room(1)) return;
    const Beat beat = beats_.read();
    if (writes_) packets_.write(beat.data, beat.bytes);
    left_ -= beat.bytes < left_ ? beat.bytes : left_;
    if (left_ == 0) complete(writes_ ? info_.length : 0U);
  }

  // The completion, in the cycle of the packet's last beat.
  void complete(u32 length) {
    abi::VerdictCode verdict = static_cast<abi::VerdictCode>(info_.verdict);
    if (verdict == abi::VerdictCode::pending) verdict = abi::VerdictCode::ok;
    if (info_.place == place_unread) ++bad_;
    completions_.request(note_.completion, 1);
    completions_.write(note_.own ? completion_word(info_, note_.epoch, length, verdict) : ap_uint<512>(0));
    ++done_asked_;
    info_valid_ = false;
    finish_note();
  }

  void finish_note() {
    note_valid_ = false;
    if (!note_.last && !note_.halt) return;
    End& end = ends_[(first_end_ + end_count_) & (ends_most - 1)];
    end.data = data_asked_;
    end.done = done_asked_;
    end.halt = note_.halt;
    end.head = note_.head;
    end.bad = note_.bad;
    ++end_count_;
  }

  WritePort& packets_;
  WritePort& completions_;
  Stream<JobNote>& notes_;
  Stream<PacketInfo>& infos_;
  Stream<Beat>& beats_;
  Stream<MoverReport>& reports_;
  bool note_valid_;
  bool info_valid_;
  JobNote note_;
  PacketInfo info_;
  u32 left_;     // bytes of the packet in hand to come
  bool writes_;  // they go to memory; else they are drained
  u32 bad_;      // accesses to memory that is not there
  u32 data_asked_;
  u32 data_done_;
  u32 done_asked_;
  u32 done_done_;
  End ends_[ends_most];
  u32 first_end_;
  u32 end_count_;
};

}  // namespace firmware
}  // namespace linecrypt
