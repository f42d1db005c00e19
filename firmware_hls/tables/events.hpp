// Events a block raises about an SA, and why: a mask of kinds, so that one packet may raise several.
#pragma once

#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

// The bits are 1 << linecrypt::EventKind.
namespace event {
constexpr u8 lease_low = 1U << 0U;
constexpr u8 lease_exhausted = 1U << 1U;
constexpr u8 soft_lifetime = 1U << 2U;
constexpr u8 hard_lifetime = 1U << 3U;
constexpr u8 pn_threshold = 1U << 4U;
constexpr u8 number_exhausted = 1U << 5U;
constexpr u32 kinds = 6;
}  // namespace event

struct EventMask {
  u32 index;
  u32 generation;
  u8 kinds;
};

}  // namespace firmware
}  // namespace linecrypt
