// Egress numbers: the one place outside a card where a GCM nonce's number is taken. ESP and MACsec use it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "host/values/events.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/likely.hpp"
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

// Takes the next egress number of a live SA into `number`; `last` is the last number of its space. The number is spent
// once taken, whatever becomes of the packet: call it when nothing but the encryption is left to do.
// pending: taken. Else why not; the drop is counted at the SA and the event raised.
//
// 1. An SA past its hard lifetime takes no number.
// 2. At the end of the lease, go on with the one in the mailbox; without one, stop: never guess, never wrap.
// 3. At the end of the number space, stop for good (RFC 4303 3.3.3; IEEE 802.1AE-2018 10.5.2).
// 4. Take it. At half of the lease, ask for the next.
//
// EgressTrain comes here for few packets.
[[nodiscard]] inline Verdict take_number(SaSlot& slot, std::uint64_t last, Events& events,
                                         std::uint64_t& number) noexcept {
  const auto refuse = [&](Verdict why) {
    slot.counters.exhausted.add();
    return why;
  };
  // 1.
  if (slot.expired.load(std::memory_order_relaxed)) return refuse(Verdict::hard_expired);
  // 2.
  std::uint64_t next = slot.next_number.load(std::memory_order_relaxed);
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
  // 4.
  number = next;
  slot.next_number.store(next + 1, std::memory_order_relaxed);
  if (lease_runs_low(slot, next)) events.raise(slot, EventKind::lease_low);
  return Verdict::pending;
}

// Numbers and counts for egress packets of one SA behind each other, with the slot's state in registers meanwhile:
// nothing else may take numbers of the slot or count its packets while one of these lives.
class EgressTrain {
 public:
  // As take_number() has them.
  [[gnu::always_inline]] EgressTrain(SaSlot& slot, std::uint64_t last, Events& events) noexcept
      : slot_(slot), events_(events), last_(last) {
    resume();
  }
  [[gnu::always_inline]] ~EgressTrain() { pause(); }
  EgressTrain(const EgressTrain&) = delete;
  EgressTrain& operator=(const EgressTrain&) = delete;

  // take_number(), and with it count_packet() of a packet of `bytes`.
  [[nodiscard, gnu::always_inline]] Verdict take(std::uint32_t bytes, std::uint64_t& number) noexcept {
    if (nearly_always(next_ < quiet_end_)) {
      number = next_++;
      bytes_ += bytes;
      return Verdict::pending;
    }
    pause();
    const Verdict verdict = take_one(slot_, last_, events_, bytes);
    resume();
    if (verdict == Verdict::pending) number = next_ - 1;
    return verdict;
  }

  // The slot is up to date, and may be changed, from pause() to resume().
  [[gnu::always_inline]] void pause() noexcept {
    slot_.next_number.store(next_, std::memory_order_relaxed);
    slot_.counters.packets.add(next_ - first_);
    slot_.counters.bytes.add(bytes_);
    first_ = next_;
    bytes_ = 0;
  }
  [[gnu::always_inline]] void resume() noexcept {
    first_ = next_ = slot_.next_number.load(std::memory_order_relaxed);
    quiet_end_ = quiet_end();
  }

 private:
  [[nodiscard, gnu::noinline]] static Verdict take_one(SaSlot& slot, std::uint64_t last, Events& events,
                                                       std::uint32_t bytes) noexcept {
    std::uint64_t number = 0;
    const Verdict verdict = take_number(slot, last, events, number);
    if (verdict == Verdict::pending) count_packet(slot, bytes, events);
    return verdict;
  }

  // A number below this is taken and nothing else is to be done. There is none where the SA has stopped or may stop
  // behind any packet (lifetimes); else up to where the next lease must be asked for, or this one or the number space
  // ends.
  [[nodiscard, gnu::always_inline]] std::uint64_t quiet_end() const noexcept {
    if (slot_.limited || slot_.expired.load(std::memory_order_relaxed)) return 0;
    const std::uint64_t lease_end = slot_.lease_end.load(std::memory_order_relaxed);
    const std::uint64_t low =
        slot_.lease_low_reported ? 0 : std::min<std::uint64_t>(slot_.lease_low_distance, lease_end);
    return std::min(lease_end - low, last_ + 1);
  }

  SaSlot& slot_;
  Events& events_;
  std::uint64_t last_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t quiet_end_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace linecrypt
