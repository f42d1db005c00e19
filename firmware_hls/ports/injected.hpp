// Frames of the host's, from its ring to the chain that ends at the port they are for.
#pragma once

#include "firmware_hls/ports/exceptions.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

struct InjectedReport {
  u32 head;  // entries read
  u32 bad;   // of them, refused
};

class InjectedReader {
 public:
  InjectedReader(ReadPort& memory, Stream<HostRing>& rings, Stream<PacketInfo>& egress_infos,
                 Stream<Beat>& egress_beats, Stream<PacketInfo>& ingress_infos, Stream<Beat>& ingress_beats,
                 Stream<InjectedReport>& reports)
      : memory_(memory),
        rings_(rings),
        egress_infos_(egress_infos),
        egress_beats_(egress_beats),
        ingress_infos_(ingress_infos),
        ingress_beats_(ingress_beats),
        reports_(reports),
        ring_(),
        state_(State::idle),
        head_(0),
        bad_(0),
        left_(0),
        length_(0),
        egress_(false),
        good_(false),
        first_(false) {}

  // 1. The ring: a new session begins at entry 0.
  // 2. One entry after the other: its header; then the frame, one beat a cycle.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (state_ == State::idle && !rings_.empty()) {
      const HostRing ring = rings_.read();
      if (ring.epoch != ring_.epoch) {
        head_ = 0;
        bad_ = 0;
      }
      ring_ = ring;
    }
    // 2.
    switch (state_) {
      case State::idle:
        if (waiting() && memory_.room(1)) {
          memory_.request(entry(), 1);
          state_ = State::header;
        }
        return;
      case State::header:
        if (memory_.ready()) read_header(memory_.read());
        return;
      case State::ask:
        if (!memory_.room(left_)) return;
        memory_.request(entry() + abi::word_bytes, left_);
        state_ = State::frame;
        return;
      case State::frame:
        read_frame();
        return;
      case State::report:
        if (reports_.full()) return;
        ++head_;
        reports_.write(InjectedReport{head_, bad_});
        state_ = State::idle;
        return;
    }
  }
  bool busy() const { return state_ != State::idle || rings_.pending() != 0 || waiting(); }

 private:
  enum class State : u8 { idle, header, ask, frame, report };

  // A doorbell further than the ring is long is nonsense.
  bool waiting() const { return ring_.open && ring_.peer != head_ && ring_.peer - head_ <= ring_.size; }
  u64 entry() const { return ring_.address + u64{head_ & (ring_.size - 1)} * abi::host_frame_slot; }

  // Of this session, at its place, of a length that a frame has, for a port that there is.
  void read_header(const MemoryWord& word) {
    const u64 first = word_of(word.data, 0);
    const u64 second = word_of(word.data, 1);
    length_ = static_cast<u16>(second);
    const u32 port = static_cast<u32>(second >> 16U) & 0xffU;
    good_ = word.good && static_cast<u32>(first) == ring_.epoch && static_cast<u32>(first >> 32U) == head_ &&
            length_ >= ethernet_size && length_ <= abi::frame_largest && port < abi::inline_port_count;
    egress_ = port == abi::black_port;
    left_ = (length_ + abi::word_bytes - 1U) / abi::word_bytes;
    first_ = true;
    if (!good_) ++bad_;
    state_ = good_ ? State::ask : State::report;
  }
  // A frame whose memory ends is cut off there: what is missing is zero, and it leaves as it is decided upon.
  void read_frame() {
    const bool info_full = egress_ ? egress_infos_.full() : ingress_infos_.full();
    const bool beat_full = egress_ ? egress_beats_.full() : ingress_beats_.full();
    if (!memory_.ready() || beat_full || (first_ && info_full)) return;
    const MemoryWord word = memory_.read();
    if (first_ && egress_) {
      egress_infos_.write(new_packet(length_, static_cast<u8>(mark::injected | abi::black_port)));
    } else if (first_) {
      ingress_infos_.write(new_packet(length_, static_cast<u8>(mark::injected | abi::clear_port)));
    }
    first_ = false;
    --left_;
    const u32 tail = length_ & (abi::word_bytes - 1U);
    Beat beat = {};
    beat.last = left_ == 0;
    beat.bytes = static_cast<u8>(beat.last && tail != 0 ? tail : abi::word_bytes);
    if (word.good) beat.data = first_bytes(word.data, beat.bytes);
    if (egress_) {
      egress_beats_.write(beat);
    } else {
      ingress_beats_.write(beat);
    }
    if (left_ == 0) state_ = State::report;
  }

  ReadPort& memory_;
  Stream<HostRing>& rings_;
  Stream<PacketInfo>& egress_infos_;
  Stream<Beat>& egress_beats_;
  Stream<PacketInfo>& ingress_infos_;
  Stream<Beat>& ingress_beats_;
  Stream<InjectedReport>& reports_;
  HostRing ring_;
  State state_;
  u32 head_;
  u32 bad_;
  u32 left_;
  u16 length_;
  bool egress_;
  bool good_;
  bool first_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
