// Egress numbers: the one place outside a card where a GCM nonce's number is taken. ESP and MACsec use it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "host/values/events.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/sa_slot.hpp"
#include "linecrypt/verdict.hpp"

namespace linecrypt {

// The last number of a space. Lease::end is exclusive, so the very last 64-bit number is never lent.
inline constexpr std::uint64_t number_last_32bit = 0xffffffffU;
inline constexpr std::uint64_t number_last_64bit = ~std::uint64_t{0} - 1;

// Starts the slot on `lease`. Numbers never go back: what an earlier lease has used stays used.
inline void start_lease(SaSlot& slot, Lease lease) noexcept {
  const std::uint64_t begin = std::max(lease.begin, slot.next_number.load(std::memory_order_relaxed));
  slot.next_number.store(begin, std::memory_order_relaxed);
  slot.lease_end.store(lease.end, std::memory_order_relaxed);
  slot.lease_low_distance =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(lease.size() - lease.size() / 2, 0xffffffffU));
  slot.lease_low_reported = false;
}

// At half of its lease (of one beyond 2^33, when 2^32 numbers are left) an SA asks for the next, once: true then.
// `number` is one just taken.
[[nodiscard]] inline bool lease_runs_low(SaSlot& slot, std::uint64_t number) noexcept {
  if (slot.lease_end.load(std::memory_order_relaxed) - number > slot.lease_low_distance) [[likely]]
    return false;
  if (slot.lease_low_reported) return false;
  slot.lease_low_reported = true;
  return true;
}

namespace detail {

// take_number() where it is not the next of many. True: `next` is taken after all, from the lease that was waiting.
[[nodiscard, gnu::noinline]] inline bool take_other_number(SaSlot& slot, std::uint64_t last, Events& events,
                                                           std::uint64_t& next, Verdict& verdict) noexcept {
  const auto refuse = [&](Verdict why) {
    slot.counters.exhausted.add();
    verdict = why;
    return false;
  };
  // 1.
  if (slot.expired.load(std::memory_order_relaxed)) return refuse(Verdict::hard_expired);
  // 2.
  if (next >= slot.lease_end.load(std::memory_order_relaxed) && next <= last) {
    if (Lease lease; slot.mailbox.take(lease)) {
      start_lease(slot, lease);
      next = slot.next_number.load(std::memory_order_relaxed);
    }
    if (next >= slot.lease_end.load(std::memory_order_relaxed) && next <= last) {
      events.raise(slot, EventKind::lease_exhausted);
      return refuse(Verdict::lease_exhausted);
    }
  }
  // 3.
  if (next > last) {
    events.raise(slot, EventKind::number_exhausted);
    return refuse(Verdict::number_exhausted);
  }
  return true;
}

}  // namespace detail

// Takes the next egress number of a live SA into `number`; `last` is the last number of its space. The number is spent
// once taken, whatever becomes of the packet: call it when nothing but the encryption is left to do.
// False: `verdict` says why, the drop is counted at the SA and the event raised.
//
// 1. An SA past its hard lifetime takes no number.
// 2. At the end of the lease, go on with the one in the mailbox; without one, stop: never guess, never wrap.
// 3. At the end of the number space, stop for good (RFC 4303 3.3.3; IEEE 802.1AE-2018 10.5.2).
// 4. Take it. At half of the lease, ask for the next.
[[nodiscard, gnu::always_inline]] inline bool take_number(SaSlot& slot, std::uint64_t last, Events& events,
                                                          std::uint64_t& number, Verdict& verdict) noexcept {
  std::uint64_t next = slot.next_number.load(std::memory_order_relaxed);
  if (slot.expired.load(std::memory_order_relaxed) || next >= slot.lease_end.load(std::memory_order_relaxed) ||
      next > last) [[unlikely]] {
    // 1. - 3.
    if (!detail::take_other_number(slot, last, events, next, verdict)) return false;
  }
  // 4.
  number = next;
  slot.next_number.store(next + 1, std::memory_order_relaxed);
  if (lease_runs_low(slot, next)) events.raise(slot, EventKind::lease_low);
  return true;
}

}  // namespace linecrypt
