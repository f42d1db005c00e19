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

// An event that holds on, as long as its SA drops packets: told at once, and again in each of these many cycles, so
// that a host that could not act on the first one (no lease to grant yet) hears of it again.
constexpr u32 repeat_cycles_log2 = 17;

struct Repeated {
  bool told;
  u16 moment;  // cycle / 2^repeat_cycles_log2
};

inline bool tell(Repeated& repeated, u16 moment, bool can_report) {
  if (!can_report || (repeated.told && repeated.moment == moment)) return false;
  repeated.told = true;
  repeated.moment = moment;
  return true;
}

struct EventMask {
  u32 index;
  u32 generation;
  u8 kinds;
};

}  // namespace firmware
}  // namespace linecrypt
