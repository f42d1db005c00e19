// Lifetimes in packets and bytes (RFC 4301 4.4.2.1). Seconds are the control thread's (Expire).
#pragma once

#include <cstdint>

#include "host/values/events.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

namespace detail {

// Out of line: few SAs have limits in packets or bytes, and the others' packets go past it.
[[gnu::noinline]] inline void apply_limits(SaSlot& slot, std::uint64_t packets, std::uint64_t bytes,
                                           Events& events) noexcept {
  // No limit is 0, and one less than 0 is beyond every count.
  const SaLimits& limits = *slot.limits.load(std::memory_order_acquire);
  const auto reached = [&](const SaLimit& limit) { return packets > limit.packets - 1 || bytes > limit.bytes - 1; };
  if (!slot.soft_reported && reached(limits.soft)) {
    slot.soft_reported = true;
    events.raise(slot, EventKind::soft_lifetime);
  }
  if (reached(limits.hard)) {
    slot.expired.store(true, std::memory_order_relaxed);
    events.raise(slot, EventKind::hard_lifetime);
  }
}

}  // namespace detail

// Counts one packet of `bytes` (as LifetimeLimit::bytes) of an SA that has not stopped. The packet that reaches a hard
// limit still passes; the SA stops behind it. Egress: call it right after take_number(), which refuses a stopped SA.
//
// 1. Count.
// 2. Soft limits: said once. Hard ones: the SA stops.
[[gnu::always_inline]] inline void count_packet(SaSlot& slot, std::uint64_t bytes, Events& events) noexcept {
  // 1.
  const std::uint64_t packets = slot.counters.packets.add();
  const std::uint64_t total = slot.counters.bytes.add(bytes);
  // 2.
  if (slot.limited) [[unlikely]]
    detail::apply_limits(slot, packets, total, events);
}

// Ingress: call it only after the tag is good and the replay window said fresh, and before the window moves. False: the
// SA had stopped before; nothing was counted but the drop, and the verdict is hard_expired.
[[nodiscard]] inline bool account(SaSlot& slot, std::uint64_t bytes, Events& events) noexcept {
  // A burst may hold packets behind the one that reached the limit.
  if (slot.expired.load(std::memory_order_relaxed)) {
    slot.counters.exhausted.add();
    return false;
  }
  count_packet(slot, bytes, events);
  return true;
}

}  // namespace linecrypt
