// Lifetimes in packets and bytes (RFC 4301 4.4.2.1). Seconds are the control thread's (Expire).
#pragma once

#include <cstdint>

#include "host/values/events.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

// Counts one packet of `bytes` (as LifetimeLimit::bytes) of an SA that has not stopped. The packet that reaches a hard
// limit still passes; the SA stops behind it. Egress: call it right after take_number(), which refuses a stopped SA.
inline void count_packet(SaSlot& slot, std::uint64_t bytes, Events& events) noexcept {
  // 1. Count.
  const std::uint64_t packets = slot.counters.packets.get() + 1;
  const std::uint64_t total = slot.counters.bytes.get() + bytes;
  slot.counters.packets.add();
  slot.counters.bytes.add(bytes);
  if (!slot.limited) return;
  // No limit is 0, and one less than 0 is beyond every count.
  const SaLimits& limits = *slot.limits.load(std::memory_order_acquire);
  const auto reached = [&](const SaLimit& limit) {
    return packets > limit.packets - 1 || total > limit.bytes - 1;
  };
  // 2. Soft: said once. Hard: the SA stops.
  if (!slot.soft_reported && reached(limits.soft)) {
    slot.soft_reported = true;
    events.raise(slot, EventKind::soft_lifetime);
  }
  if (reached(limits.hard)) {
    slot.expired.store(true, std::memory_order_relaxed);
    events.raise(slot, EventKind::hard_lifetime);
  }
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
