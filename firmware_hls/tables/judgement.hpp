// Judgement: what came out of the cipher, if it is authentic; and Decision: what becomes of the packet.
#pragma once

#include "firmware_hls/tables/replay.hpp"
#include "firmware_hls/tables/shape.hpp"
#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {
namespace firmware {

struct Judgement {
  abi::VerdictCode verdict;  // pending: deliver
  bool unseen;               // this card cannot tell: the packet counts nowhere, and the host may do it again
  u16 counted;               // as LifetimeLimit::bytes
  Cut out;                   // text -> clear packet
};

struct Decision {
  abi::VerdictCode verdict;
  bool deliver;
  bool accepted;  // the window has its number now
  bool opened;    // tell the mirror
  bool authentic;
  bool jumped;
  u8 events;
};

// What a decision rests on.
struct Evidence {
  u32 generation;
  u64 number;
  abi::VerdictCode number_verdict;
  bool tag_good;
  bool can_report;  // events may be raised
  u16 moment;       // see Repeated
};

inline abi::VerdictCode verdict_of(Replay replay) {
  return replay == Replay::fresh  ? abi::VerdictCode::pending
         : replay == Replay::late ? abi::VerdictCode::replay_late
                                  : abi::VerdictCode::replay_duplicate;
}

// In-line ports: the accept ceiling is a lease of numbers to accept (DESIGN 4). False: at or above it.
inline bool below_ceiling(IngressNumbers& numbers, u64 number, u16 moment, bool can_report, u8& events) {
  if (numbers.ceiling == 0) return true;
  const bool below = number < numbers.ceiling;
  if (below && number >= numbers.ceiling_low && !numbers.low_reported && can_report) {
    numbers.low_reported = true;
    events = static_cast<u8>(events | event::lease_low);
  }
  if (!below && tell(numbers.exhausted, moment, can_report)) events = static_cast<u8>(events | event::lease_exhausted);
  return below;
}

// 128 bits at once: the time tells nothing.
inline bool equal_tags(const ap_uint<128>& a, const ap_uint<128>& b) {
  const ap_uint<128> difference = a ^ b;
  return (word_of(difference, 0) | word_of(difference, 1)) == 0;
}

}  // namespace firmware
}  // namespace linecrypt
