// Shape: how a packet's bytes are cut and joined, and what the cipher is given. What a protocol's build step makes.
#pragma once

#include "firmware_hls/gcm/gcm_types.hpp"
#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

constexpr u32 head_most = 128;
constexpr u32 tail_most = 32;

// head ++ packet[strip, strip + keep) ++ `fill` zeros ++ tail; the rest of the packet goes nowhere.
struct Cut {
  u16 strip;
  u16 keep;
  u16 fill;
  u8 head_bytes;
  u8 tail_bytes;
  u8 head[head_most];
  u8 tail[tail_most];
};

inline u32 bytes_of(const Cut& cut) {
  return static_cast<u32>(cut.head_bytes) + cut.keep + cut.fill + cut.tail_bytes;
}

// Appends `count` bytes (at most 64) to a cut's head.
inline void append(Cut& cut, const u8* from, u32 count) {
  for (u32 i = 0; i < 64; ++i) {
    if (i < count) cut.head[(cut.head_bytes + i) & (head_most - 1)] = from[i];
  }
  cut.head_bytes = static_cast<u8>(cut.head_bytes + count);
}

struct Shape {
  Cut in;          // packet -> text
  u16 text_bytes;  // 0: nothing goes to the cipher, and nothing comes out
  GcmMode cipher;
  bool seal;  // the tag is appended behind the outgoing cut
  u8 aad_bytes;
  u8 aad[aad_most];
  Cut out;  // text -> packet
};

}  // namespace firmware
}  // namespace linecrypt
