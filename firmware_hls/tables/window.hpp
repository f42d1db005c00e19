// Window: the first bytes of a packet, from which its headers are parsed.
#pragma once

#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

constexpr u32 window_bytes = 128;  // two beats
constexpr u32 l2_largest = 22;     // Ethernet and two VLAN tags

struct Window {
  u8 byte[window_bytes];
};

// The window from byte `offset` on; zeros behind its end.
inline Window shifted(const Window& window, u32 offset) {
  Window out = {};
  for (u32 i = 0; i < window_bytes; ++i) {
    if (i + offset < window_bytes) out.byte[i] = window.byte[i + offset];
  }
  return out;
}

}  // namespace firmware
}  // namespace linecrypt
