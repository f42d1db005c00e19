// tap and inspect: two looks at a packet's beats as they pass, on ingress. Neither changes a byte.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/inspection.hpp"

namespace linecrypt {
namespace firmware {

struct TapCommand {
  u16 offset;  // of the received tag in the packet
  bool wanted;
};

// Takes the received tag out of the packet before it is cut: 16 bytes that may lie across two beats.
class Tap {
 public:
  Tap(Stream<TapCommand>& commands, Stream<Beat>& in, Stream<Beat>& out, Stream<ap_uint<128>>& tags)
      : commands_(commands), in_(in), out_(out), tags_(tags), held_(false), command_(), position_(0), tag_(0) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (!held_ && !commands_.empty()) {
      command_ = commands_.read();
      held_ = true;
      position_ = 0;
      tag_ = ap_uint<128>(0);
    }
    if (!held_ || in_.empty() || out_.full() || tags_.full()) return;
    const Beat beat = in_.read();
    out_.write(beat);
    const u32 begin = position_;
    const u32 end = position_ + beat_bytes;
    if (command_.offset >= begin && command_.offset < end) {
      tag_ = tag_ | slice<128>(beat.data, 8 * (command_.offset - begin));
    } else if (command_.offset < begin && command_.offset + 16U > begin) {
      tag_ = tag_ | slice<128>(ap_uint<512>(beat.data << (8 * (begin - command_.offset))), 0);
    }
    position_ = end;
    if (!beat.last) return;
    if (command_.wanted) tags_.write(tag_);
    held_ = false;
  }
  bool busy() const { return held_; }

 private:
  Stream<TapCommand>& commands_;
  Stream<Beat>& in_;
  Stream<Beat>& out_;
  Stream<ap_uint<128>>& tags_;
  bool held_;
  TapCommand command_;
  u32 position_;
  ap_uint<128> tag_;
};

struct InspectCommand {
  u16 skip;   // bytes in front of the text, which are not looked at
  u16 total;  // with them
};

// Looks at a decrypted text on its way into the hold: its first bytes and its ESP trailer.
class Inspect {
 public:
  Inspect(Stream<InspectCommand>& commands, Stream<Beat>& in, Stream<Beat>& out, Stream<Inspection>& inspections)
      : commands_(commands),
        in_(in),
        out_(out),
        inspections_(inspections),
        held_(false),
        command_(),
        position_(0),
        inspection_() {}

  void tick() {
    LINECRYPT_PIPELINE
    if (!held_ && !commands_.empty()) {
      command_ = commands_.read();
      held_ = true;
      position_ = 0;
      inspection_ = Inspection();
    }
    if (!held_ || in_.empty() || out_.full() || inspections_.full()) return;
    const Beat beat = in_.read();
    out_.write(beat);
    look(beat);
    position_ += beat_bytes;
    if (!beat.last) return;
    inspections_.write(inspection_);
    held_ = false;
    inspection_ = Inspection();
  }
  bool busy() const { return held_; }

 private:
  // 1. The first bytes.
  // 2. The padding that may be, and the last two bytes.
  void look(const Beat& beat) {
    const u32 total = command_.total;
    const bool first = position_ < command_.skip + window_bytes;
    const bool last = position_ + beat_bytes + pad_longest + 2 > total;
    if (!first && !last) return;
    u8 bytes[beat_bytes];
    to_bytes(beat.data, bytes);
    for (u32 i = 0; i < beat_bytes; ++i) {
      LINECRYPT_UNROLL
      const u32 at = position_ + i;
      if (at >= total) continue;
      // 1.
      if (at >= command_.skip && at - command_.skip < window_bytes)
        inspection_.first.byte[at - command_.skip] = bytes[i];
      // 2.
      const u32 behind = total - at;  // 1: the last byte
      if (behind == 1) inspection_.next_header = bytes[i];
      if (behind == 2) inspection_.pad_length = bytes[i];
      if (behind > 2 && behind <= pad_longest + 2) pad_run(inspection_, bytes[i], behind - 2);
    }
  }

  Stream<InspectCommand>& commands_;
  Stream<Beat>& in_;
  Stream<Beat>& out_;
  Stream<Inspection>& inspections_;
  bool held_;
  InspectCommand command_;
  u32 position_;
  Inspection inspection_;
};

}  // namespace firmware
}  // namespace linecrypt
