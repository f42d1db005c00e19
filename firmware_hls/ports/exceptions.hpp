// Frames for the host: a bounded FIFO that never makes a chain wait, and a writer into the host's ring. Where there is
// no room a frame is dropped whole, and counted.
#pragma once

#include "firmware_hls/dma/memory.hpp"
#include "firmware_hls/ports/marks.hpp"
#include "firmware_hls/ports/packet_store.hpp"
#include "linecrypt/abi/classify.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

struct ExceptionNote {
  u16 length;
  u8 port;
  u8 verdict;
  u8 flags;  // abi::host_frame
};

// Six frames of the largest size, a thousand small ones.
constexpr u32 exception_beats = 1024;

template <u32 Beats = exception_beats, u32 D = 3>
class ExceptionFifo {
 public:
  ExceptionFifo(const Clock& clock, Stream<ExceptionNote>& notes_in, Stream<Beat>& beats_in,
                Stream<ExceptionNote>& notes, Stream<Beat>& beats, Stream<abi::PortCounts>& counts)
      : notes_in_(notes_in),
        beats_in_(beats_in),
        notes_(notes),
        beats_(beats),
        counts_out_(counts),
        store_(clock),
        taking_(false),
        dropping_(false),
        note_(),
        reading_(false),
        flushing_(false),
        counts_(),
        changed_(false) {}

  // `enabled`: a wire. While it is low nothing is kept, so that no frame of one session reaches the next.
  //
  // 1. One beat in whenever there is one.
  // 2. One beat out.
  void tick(bool enabled) {
    LINECRYPT_PIPELINE
    // 1.
    if (!taking_ && !notes_in_.empty()) {
      note_ = notes_in_.read();
      taking_ = true;
      dropping_ = !enabled;
    }
    if (taking_ && !beats_in_.empty()) take(beats_in_.read());
    // 2.
    give(enabled);
    if (changed_ && !counts_out_.full()) {
      counts_out_.write(counts_);
      changed_ = false;
    }
  }
  // For the clocked model. Frames that wait for a host who does not read move nothing; but those of a session that is
  // over go.
  bool busy(bool enabled) const {
    const bool gives = store_.busy() && (!enabled || !(notes_.full() || beats_.full()));
    return (taking_ && beats_in_.pending() != 0) || gives || (reading_ && (flushing_ || !beats_.full())) || changed_ ||
           notes_in_.pending() + beats_in_.pending() != 0;
  }

 private:
  void take(const Beat& beat) {
    if (!dropping_ && (!store_.room() || !store_.room_for_note())) dropping_ = true;
    if (!dropping_) store_.put(beat);
    if (!beat.last) return;
    taking_ = false;
    changed_ = true;
    if (dropping_) {
      store_.take_back();
      ++counts_.no_room;
      return;
    }
    store_.commit(note_);
    ++counts_.frames;
    counts_.bytes += note_.length;
  }
  void give(bool enabled) {
    if (!reading_) {
      if (!store_.ready()) return;
      flushing_ = !enabled;
      if (!flushing_ && (notes_.full() || beats_.full())) return;
      const ExceptionNote note = store_.begin();
      if (flushing_) {
        ++counts_.closed;
        changed_ = true;
      } else {
        notes_.write(note);
      }
    } else if (!flushing_ && beats_.full()) {
      return;
    }
    const Beat beat = store_.next();
    if (!flushing_) beats_.write(beat);
    reading_ = !beat.last;
  }

  Stream<ExceptionNote>& notes_in_;
  Stream<Beat>& beats_in_;
  Stream<ExceptionNote>& notes_;
  Stream<Beat>& beats_;
  Stream<abi::PortCounts>& counts_out_;
  PacketStore<ExceptionNote, Beats, D> store_;
  bool taking_;
  bool dropping_;
  ExceptionNote note_;
  bool reading_;
  bool flushing_;
  abi::PortCounts counts_;
  bool changed_;
};

// A ring in card memory, as the control kernel hands it on.
struct HostRing {
  bool open;
  bool enabled;  // the card is: frames wait for a ring; else they are forgotten
  u32 epoch;     // another one: the ring begins at entry 0
  u64 address;
  u32 size;  // entries, a power of two
  u32 peer;  // exceptions: the host's head; injected: its tail
};

inline ap_uint<512> host_frame_word(const ExceptionNote& note, u32 epoch, u32 number) {
  ap_uint<512> word(0);
  set_word_of(word, 0, u64{epoch} | u64{number} << 32U);
  set_word_of(word, 1, u64{note.length} | u64{note.port} << 16U | u64{note.verdict} << 24U | u64{note.flags} << 32U);
  return word;
}

// Writes the frames of both directions into the ring, by turns. `rings`: the newest word counts. `tails`: entries whose
// data is in memory.
class ExceptionWriter {
 public:
  ExceptionWriter(WritePort& memory, Stream<HostRing>& rings, Stream<ExceptionNote>& egress_notes,
                  Stream<Beat>& egress_beats, Stream<ExceptionNote>& ingress_notes, Stream<Beat>& ingress_beats,
                  Stream<u32>& tails)
      : memory_(memory),
        rings_(rings),
        egress_notes_(egress_notes),
        egress_beats_(egress_beats),
        ingress_notes_(ingress_notes),
        ingress_beats_(ingress_beats),
        tails_(tails),
        ring_(),
        asked_(0),
        done_(0),
        outstanding_(0),
        stale_(0),
        writing_(false),
        draining_(false),
        egress_(false),
        turn_(false) {}

  // 1. Answers: an entry is the host's once its data is in memory. Those asked for under a ring that is gone count
  //    nowhere.
  // 2. The ring.
  // 3. A beat of the frame in hand, or the header of the next. Without a ring frames wait where they are counted.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (memory_.answered() && !tails_.full()) {
      memory_.take_answer();
      --outstanding_;
      if (stale_ != 0) {
        --stale_;
      } else {
        tails_.write(++done_);
      }
    }
    // 2.
    if (!writing_ && !rings_.empty()) {
      const HostRing ring = rings_.read();
      if (ring.epoch != ring_.epoch) {
        stale_ = outstanding_;
        asked_ = 0;
        done_ = 0;
      }
      ring_ = ring;
    }
    // 3.
    if (writing_) {
      go_on();
    } else {
      begin();
    }
  }
  bool busy() const {
    return writing_ || outstanding_ != 0 || rings_.pending() != 0 ||
           (!full() && egress_notes_.pending() + ingress_notes_.pending() != 0);
  }

 private:
  bool full() const { return ring_.enabled && (!ring_.open || asked_ - ring_.peer >= ring_.size); }

  void begin() {
    const bool egress = !egress_notes_.empty() && (ingress_notes_.empty() || turn_);
    if (!egress && ingress_notes_.empty()) return;
    if (full() || !memory_.room(abi::host_frame_slot / abi::word_bytes)) return;
    const ExceptionNote note = egress ? egress_notes_.read() : ingress_notes_.read();
    egress_ = egress;
    turn_ = !egress;
    writing_ = true;
    draining_ = !ring_.enabled || !ring_.open;
    if (draining_) return;
    memory_.request(ring_.address + u64{asked_ & (ring_.size - 1)} * abi::host_frame_slot,
                    1U + (note.length + abi::word_bytes - 1U) / abi::word_bytes);
    memory_.write(host_frame_word(note, ring_.epoch, asked_));
    ++asked_;
    ++outstanding_;
  }
  void go_on() {
    if (egress_ ? egress_beats_.empty() : ingress_beats_.empty()) return;
    const Beat beat = egress_ ? egress_beats_.read() : ingress_beats_.read();
    if (!draining_) memory_.write(beat.data, beat.bytes);
    writing_ = !beat.last;
  }

  WritePort& memory_;
  Stream<HostRing>& rings_;
  Stream<ExceptionNote>& egress_notes_;
  Stream<Beat>& egress_beats_;
  Stream<ExceptionNote>& ingress_notes_;
  Stream<Beat>& ingress_beats_;
  Stream<u32>& tails_;
  HostRing ring_;
  u32 asked_;
  u32 done_;
  u32 outstanding_;
  u32 stale_;
  bool writing_;
  bool draining_;
  bool egress_;
  bool turn_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
