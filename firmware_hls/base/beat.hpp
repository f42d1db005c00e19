// One 512-bit word of a packet's stream.
#pragma once

#include <cstdint>

#include "firmware_hls/base/ap_uint.hpp"

namespace linecrypt {
namespace firmware {

constexpr unsigned beat_bytes = 64;

// Byte i of the beat is data bits 8i+7..8i. Every beat but a packet's last is full; bytes past `bytes` are zero.
struct Beat {
  ap_uint<512> data;
  std::uint8_t bytes;  // 1..64
  bool last;
};

inline Beat no_beat() {
  LINECRYPT_INLINE
  Beat beat;
  beat.data = ap_uint<512>(0);
  beat.bytes = 0;
  beat.last = false;
  return beat;
}

}  // namespace firmware
}  // namespace linecrypt
