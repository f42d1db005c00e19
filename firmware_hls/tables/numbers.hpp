// Egress numbers of one SA, within a lease: the one place on the card where a GCM nonce's number is taken. The same
// rules as host/values/numbers.hpp.
#pragma once

#include "firmware_hls/tables/lifetime.hpp"
#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {
namespace firmware {

// The last number of a space. A lease's end is exclusive, so the very last 64-bit number is never lent.
constexpr u64 number_last_32bit = 0xffffffffU;
constexpr u64 number_last_64bit = ~u64{0} - 1;

struct EgressNumbers {
  u64 next;
  u64 end;       // first number not lent
  u64 low_mark;  // renewal is asked for from here on
  u64 waiting_begin;
  u64 waiting_end;
  bool waiting;  // one lease waits until this one is used up
  bool low_reported;
  Repeated exhausted;  // the lease or the number space
  bool threshold_reported;
  u16 identification;  // of the next outer IPv4 header that may be fragmented
  Life life;
};

// What never changes while the SA lives.
struct EgressLimits {
  abi::LifetimeEntry lifetime;
  u64 soft_limit;  // MACsec: event when the next PN reaches it; 0: none
  bool wide;
};

struct Taken {
  abi::VerdictCode verdict;  // pending: the number is this packet's
  u64 number;
  u16 identification;
  u8 events;
};

// Numbers never go back: what an earlier lease has used stays used.
inline void start_lease(EgressNumbers& numbers, u64 begin, u64 end) {
  if (begin > numbers.next) numbers.next = begin;
  numbers.end = end;
  numbers.low_mark = begin + (end - begin) / 2;
  numbers.low_reported = false;
  numbers.exhausted = Repeated();
}

inline EgressNumbers first_numbers(const abi::NumberEntry& entry) {
  EgressNumbers numbers = {};
  start_lease(numbers, entry.begin, entry.end);
  numbers.identification = entry.identification;
  return numbers;
}

// False: refused, for it lends nothing or the one before it still waits.
inline bool grant(EgressNumbers& numbers, u64 begin, u64 end) {
  if (begin == 0 || begin >= end || numbers.waiting) return false;
  numbers.waiting = true;
  numbers.waiting_begin = begin;
  numbers.waiting_end = end;
  return true;
}

// Takes the next number for a packet of `bytes`. The number is spent once taken, whatever becomes of the packet. While
// `can_report` is false, events wait for a later packet. `moment`: see Repeated.
//
// 1. An SA past its hard lifetime takes no number.
// 2. At the end of the lease, go on with the one that waits; without one, stop: never guess, never wrap.
// 3. At the end of the number space, stop for good (RFC 4303 3.3.3; IEEE 802.1AE-2018 10.5.2).
// 4. Take it. At half of the lease, ask for the next; at the PN threshold, say so once.
// 5. Lifetimes.
inline Taken take_number(EgressNumbers& numbers, const EgressLimits& limits, u32 bytes, bool takes_identification,
                         u16 moment, bool can_report) {
  Taken taken = {};
  taken.verdict = abi::VerdictCode::pending;
  // 1.
  if (numbers.life.expired) {
    taken.verdict = abi::VerdictCode::hard_expired;
    taken.events = report_hard(numbers.life, can_report);
    return taken;
  }
  // 2.
  const u64 last = limits.wide ? number_last_64bit : number_last_32bit;
  if (numbers.next >= numbers.end && numbers.next <= last && numbers.waiting) {
    numbers.waiting = false;
    start_lease(numbers, numbers.waiting_begin, numbers.waiting_end);
  }
  if (numbers.next >= numbers.end && numbers.next <= last) {
    if (tell(numbers.exhausted, moment, can_report)) taken.events = event::lease_exhausted;
    taken.verdict = abi::VerdictCode::lease_exhausted;
    return taken;
  }
  // 3.
  if (numbers.next > last) {
    if (tell(numbers.exhausted, moment, can_report)) taken.events = event::number_exhausted;
    taken.verdict = abi::VerdictCode::number_exhausted;
    return taken;
  }
  // 4.
  taken.number = numbers.next++;
  taken.identification = numbers.identification;
  if (takes_identification) ++numbers.identification;
  if (taken.number >= numbers.low_mark && !numbers.low_reported && can_report) {
    numbers.low_reported = true;
    taken.events = event::lease_low;
  }
  if (limits.soft_limit != 0 && numbers.next >= limits.soft_limit && !numbers.threshold_reported && can_report) {
    numbers.threshold_reported = true;
    taken.events = static_cast<u8>(taken.events | event::pn_threshold);
  }
  // 5.
  taken.events = static_cast<u8>(taken.events | account(numbers.life, limits.lifetime, bytes, can_report));
  return taken;
}

}  // namespace firmware
}  // namespace linecrypt
