// gather: takes a packet's description and beats apart: the first bytes go to the metadata, all beats to the body.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/meta.hpp"

namespace linecrypt {
namespace firmware {

template <class Meta, class Protocol>
class Gather {
 public:
  Gather(Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<Meta>& out, Stream<Beat>& body)
      : info_in_(info_in), beats_in_(beats_in), out_(out), body_(body), held_(false), meta_(), beat_(0) {}

  // One beat, or one description without beats.
  //
  // 1. A description, as soon as the last packet's beats are through.
  // 2. Without beats it goes on at once: a command, or a packet dropped before.
  // 3. Beats pass; the first two are remembered. With the second (or the last) the metadata goes on.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    if (!held_ && !info_in_.empty()) {
      start(info_in_.read());
      held_ = true;
      beat_ = 0;
    }
    if (!held_) return;
    // 2.
    if (is_command(meta_.info) || meta_.info.length == 0) {
      if (out_.full()) return;
      out_.write(meta_);
      held_ = false;
      return;
    }
    // 3.
    if (beats_in_.empty() || body_.full() || (beat_ < 2 && out_.full())) return;
    const Beat beat = beats_in_.read();
    body_.write(beat);
    if (beat_ < 2) {
      u8 bytes[beat_bytes];
      to_bytes(beat.data, bytes);
      for (u32 i = 0; i < beat_bytes; ++i) {
        LINECRYPT_UNROLL
        if (beat_ == 0) {
          meta_.window.byte[i] = bytes[i];
        } else {
          meta_.window.byte[beat_bytes + i] = bytes[i];
        }
      }
      if (beat_ == 1 || beat.last) out_.write(meta_);
    }
    if (beat_ < 2) ++beat_;
    if (beat.last) held_ = false;
  }
  bool busy() const { return held_; }
  bool comes() const { return info_in_.pending() + beats_in_.pending() != 0; }  // for the clocked model

 private:
  void start(const PacketInfo& info) {
    meta_ = Meta();
    meta_.info = info;
    meta_.body = info.length;
    const bool packet = info.kind == Kind::packet && info.at < 2;
    const u32 at = info.at & 1U;
    meta_.mine = packet && info.operation[at] == Protocol::operation && !has_verdict(info);
    meta_.counted = meta_.mine;
    meta_.index = info.stage[at].index;
    meta_.generation = info.stage[at].generation;
  }

  Stream<PacketInfo>& info_in_;
  Stream<Beat>& beats_in_;
  Stream<Meta>& out_;
  Stream<Beat>& body_;
  bool held_;
  Meta meta_;
  u32 beat_;  // 0, 1, 2: and all behind
};

}  // namespace firmware
}  // namespace linecrypt
