// Lifetimes in packets and bytes (RFC 4301 4.4.2.1). Seconds are the control thread's (Expire).
#pragma once

#include <cstdint>

#include "host/values/events.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

namespace detail {

// Out of line: few SAs have limits in packets or bytes, and the others' packets go past it. The packet that reaches a
// hard limit still passes; the SA stops behind it. Soft limits are said once.
[[gnu::noinline]] inline void count_limited_packet(SaSlot& slot, std::uint64_t bytes, Events& events) noexcept {
  const std::uint64_t packets = slot.counters.packets.add();
  const std::uint64_t total = slot.counters.bytes.add(bytes);
  // No limit is 0, and one less than 0 is beyond every count.
  const SaLimits& limits = *slot.limits.load(std::memory_order_acquire);
  const auto reached = [&](const SaLimit& limit) { return packets > limit.packets - 1 || total > limit.bytes - 1; };
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

// Counts one packet of `bytes` (as LifetimeLimit::bytes) of an SA that has not stopped. Egress: right behind
// take_number(), which refuses a stopped SA; EgressTrain does both.
inline void count_packet(SaSlot& slot, std::uint64_t bytes, Events& events) noexcept {
  if (slot.limited) [[unlikely]]
    return detail::count_limited_packet(slot, bytes, events);
  slot.counters.packets.add();
  slot.counters.bytes.add(bytes);
}

// count_packet() for ingress packets of one SA behind each other: the sums of an SA without limits are in registers and
// reach the slot's counters at the end; one with limits may stop behind any packet.
class IngressCounts {
 public:
  [[gnu::always_inline]] IngressCounts(SaSlot& slot, Events& events) noexcept : slot_(slot), events_(events) {}
  [[gnu::always_inline]] ~IngressCounts() {
    slot_.counters.packets.add(packets_);
    slot_.counters.bytes.add(bytes_);
  }
  IngressCounts(const IngressCounts&) = delete;
  IngressCounts& operator=(const IngressCounts&) = delete;

  [[gnu::always_inline]] void add(std::uint64_t bytes) noexcept {
    if (slot_.limited) [[unlikely]]
      return detail::count_limited_packet(slot_, bytes, events_);
    add_unlimited(bytes);
  }
  // Of an SA that is known to have no limits.
  [[gnu::always_inline]] void add_unlimited(std::uint64_t bytes) noexcept {
    ++packets_;
    bytes_ += bytes;
  }

 private:
  SaSlot& slot_;
  Events& events_;
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
};

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
