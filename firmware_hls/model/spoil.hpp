// Spoil: the fault "wrong_tag". It stands where frames with a tag pass (behind the egress chain, before the ingress
// chain) and flips one bit in the last byte of one of them: a tag computed wrongly, as seen by whoever compares it.
#pragma once

#include <cstdint>

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/stream.hpp"

namespace linecrypt {
namespace firmware {

// Counts packets of both directions: the one that brings `left` to zero is hit.
struct SpoilPlan {
  std::uint64_t left = 0;  // 0: none
};

class Spoil {
 public:
  Spoil(SpoilPlan& plan, Stream<Beat>& in, Stream<Beat>& out) : plan_(plan), in_(in), out_(out) {}

  void tick() {
    if (in_.empty() || out_.full()) return;
    Beat beat = in_.read();
    if (beat.last && plan_.left != 0 && --plan_.left == 0) {
      const unsigned byte = beat.bytes - 1U;
      set_word_of(beat.data, static_cast<int>(byte / 8),
                  word_of(beat.data, static_cast<int>(byte / 8)) ^ (std::uint64_t{1} << (8 * (byte % 8))));
    }
    out_.write(beat);
  }

 private:
  SpoilPlan& plan_;
  Stream<Beat>& in_;
  Stream<Beat>& out_;
};

}  // namespace firmware
}  // namespace linecrypt
