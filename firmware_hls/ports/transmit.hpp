// transmit: frames to a 100G MAC. One starts only when all of it is there, for the MAC does not wait inside a frame.
#pragma once

#include "firmware_hls/ports/receive.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

constexpr u32 transmit_beats = 512;
constexpr u32 frame_smallest = 60;  // without FCS (IEEE 802.3 3.2.7)

template <u32 Beats = transmit_beats, u32 D = 3>
class Transmit {
 public:
  static_assert(Beats * beat_bytes >= abi::frame_largest, "a frame fits as a whole");
  Transmit(const Clock& clock, Stream<u16>& lengths, Stream<Beat>& beats, Stream<WireBeat>& out,
           Stream<abi::PortCounts>& counts)
      : lengths_(lengths),
        beats_(beats),
        out_(out),
        counts_out_(counts),
        store_(clock),
        taking_(false),
        length_(0),
        sending_(false),
        short_(false),
        counts_(),
        changed_(false) {}

  // 1. One beat in, where there is room; a frame is handed over when its last beat is there.
  // 2. One beat out. A frame shorter than Ethernet's smallest is padded: bytes past its end are zero.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!taking_ && !lengths_.empty()) {
      length_ = lengths_.read();
      taking_ = true;
    }
    if (taking_ && !beats_.empty() && store_.room() && store_.room_for_note()) {
      const Beat beat = beats_.read();
      store_.put(beat);
      if (beat.last) {
        store_.commit(FrameNote{length_});
        taking_ = false;
      }
    }
    // 2.
    send();
    if (changed_ && !counts_out_.full()) {
      counts_out_.write(counts_);
      changed_ = false;
    }
  }
  bool busy() const { return taking_ || sending_ || store_.busy() || changed_; }

 private:
  void send() {
    if (out_.full() || (!sending_ && !store_.ready())) return;
    if (!sending_) {
      const FrameNote note = store_.begin();
      ++counts_.frames;
      counts_.bytes += note.length;
      if (note.length < frame_smallest) ++counts_.padded;
      changed_ = true;
      sending_ = true;
      short_ = note.length < frame_smallest;
    }
    WireBeat wire = {};
    wire.beat = store_.next();
    if (short_) wire.beat.bytes = static_cast<u8>(frame_smallest);
    out_.write(wire);
    sending_ = !wire.beat.last;
  }

  Stream<u16>& lengths_;
  Stream<Beat>& beats_;
  Stream<WireBeat>& out_;
  Stream<abi::PortCounts>& counts_out_;
  PacketStore<FrameNote, Beats, D> store_;
  bool taking_;
  u16 length_;
  bool sending_;
  bool short_;
  abi::PortCounts counts_;
  bool changed_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
