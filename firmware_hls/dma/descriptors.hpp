// descriptors: batch -> jobs. Each descriptor is checked by itself: a bad one ends with a verdict, the others go on.
#pragma once

#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/dma/memory.hpp"
#include "firmware_hls/dma/words.hpp"

namespace linecrypt {
namespace firmware {

// The blocks of a chain in the order packets meet them; none where the card's mode leaves one out.
struct ChainOperations {
  abi::Operation first;
  abi::Operation second;
};

// A packet may use both blocks in their order, or one.
inline bool operations_fit(const ChainOperations& chain, abi::Operation first, abi::Operation second) {
  const bool one = first != abi::Operation::none && (first == chain.first || first == chain.second);
  if (second == abi::Operation::none) return one;
  return first == chain.first && second == chain.second && one;
}

// [offset, offset + bytes) lies in the slab, behind its entries, on a multiple of 64.
inline bool place_fits(u32 offset, u32 bytes, u32 slab_bytes, u32 entries_bytes) {
  if ((offset & 63U) != 0 || offset < entries_bytes || offset > slab_bytes) return false;
  return bytes <= slab_bytes - offset;
}

class Descriptors {
 public:
  Descriptors(ReadPort& port, ChainOperations operations, Stream<BatchOrder>& in, Stream<Job>& jobs,
              Stream<JobNote>& notes)
      : port_(port),
        operations_(operations),
        in_(in),
        jobs_(jobs),
        notes_(notes),
        asking_(),
        reading_(),
        asking_valid_(false),
        reading_valid_(false),
        asked_(0),
        read_(0),
        refused_(0) {}

  // 1. Ask for a batch's descriptors while those of the batch before it are read: no gap between batches.
  // 2. One descriptor a cycle: its note and its job, the packet's verdict already decided where it is a bad one.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!asking_valid_ && !in_.empty()) {
      asking_ = in_.read();
      asking_valid_ = true;
      asked_ = 0;
    }
    if (asking_valid_ && asked_ < asking_.jobs) {
      const u32 left = asking_.jobs - asked_;
      const u32 count = left < burst ? left : burst;
      if (port_.room(count)) {
        port_.request(asking_.input + u64{asked_} * sizeof(abi::JobDescriptor), count);
        asked_ += count;
      }
    }
    if (asking_valid_ && !reading_valid_ && asked_ == asking_.jobs) {
      reading_ = asking_;
      reading_valid_ = true;
      asking_valid_ = false;
      read_ = 0;
    }
    // 2.
    if (!reading_valid_ || notes_.full()) return;
    if (reading_.jobs == 0) {
      note_end();
    } else if (port_.ready() && !jobs_.full()) {
      note_job(port_.read());
    }
  }
  bool busy() const { return asking_valid_ || reading_valid_; }

 private:
  static constexpr u32 burst = 32;

  u32 bad_now() const { return reading_.bad + refused_; }
  void note_end() {
    JobNote note = {};
    note.last = !reading_.halt;
    note.halt = reading_.halt;
    note.head = reading_.head;
    note.bad = bad_now();
    notes_.write(note);
    reading_valid_ = false;
  }
  void note_job(const MemoryWord& word) {
    const u32 entries = reading_.jobs * abi::word_bytes;
    const u32 input_offset = static_cast<u32>(word_of(word.data, 1));
    const u32 output_offset = static_cast<u32>(word_of(word.data, 1) >> 32U);
    const u64 sizes = word_of(word.data, 2);
    const u32 length = static_cast<u16>(sizes);
    const u32 room = static_cast<u16>(sizes >> 16U);
    Job job = {};
    PacketInfo& info = job.info;
    info.kind = Kind::packet;
    info.cookie = static_cast<u32>(word_of(word.data, 0) >> 32U);
    info.length = static_cast<u16>(length);
    info.l2_length = static_cast<u16>(sizes >> 32U);
    info.operation[0] = static_cast<abi::Operation>(static_cast<u8>(sizes >> 48U));
    info.operation[1] = static_cast<abi::Operation>(static_cast<u8>(sizes >> 56U));
    for (u32 i = 0; i < 2; ++i) {
      LINECRYPT_UNROLL
      const u64 stage = word_of(word.data, 3 + static_cast<int>(i));
      info.stage[i].index = static_cast<u32>(stage);
      info.stage[i].generation = static_cast<u32>(stage >> 32U);
    }
    info.verdict = static_cast<u8>(abi::VerdictCode::pending);
    const bool own = word.good && static_cast<u32>(word_of(word.data, 0)) == reading_.epoch;
    const bool output_good = place_fits(output_offset, room, reading_.output_bytes, entries);
    const bool good = own && output_good && length != 0 && length <= abi::frame_largest && info.l2_length <= length &&
                      place_fits(input_offset, length, reading_.input_bytes, entries);
    if (!good) {
      ++refused_;
      refuse(info, abi::VerdictCode::unsupported);
    } else if (!operations_fit(operations_, info.operation[0], info.operation[1])) {
      refuse(info, abi::VerdictCode::wrong_operation);
    }
    job.address = reading_.input + input_offset;
    JobNote note = {};
    note.job = true;
    note.own = own;
    note.epoch = reading_.epoch;
    note.output = reading_.output + output_offset;
    note.completion = reading_.output + u64{read_} * sizeof(abi::Completion);
    note.room = output_good ? room : 0;
    note.head = reading_.head;
    note.bad = bad_now();
    ++read_;
    note.last = read_ == reading_.jobs;
    if (note.last) reading_valid_ = false;
    jobs_.write(job);
    notes_.write(note);
  }
  static void refuse(PacketInfo& info, abi::VerdictCode verdict) {
    info.length = 0;
    info.verdict = static_cast<u8>(verdict);
  }

  ReadPort& port_;
  ChainOperations operations_;
  Stream<BatchOrder>& in_;
  Stream<Job>& jobs_;
  Stream<JobNote>& notes_;
  BatchOrder asking_;
  BatchOrder reading_;
  bool asking_valid_;
  bool reading_valid_;
  u32 asked_;
  u32 read_;
  u32 refused_;  // descriptors, since the card began: the control kernel takes differences
};

}  // namespace firmware
}  // namespace linecrypt
