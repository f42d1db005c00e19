// SaSlot: the per-SA state that moves between engines. The host allocates and owns the array; an engine works in it
// from open() on.
//
// Threads: the worker that owns the SA writes the hot fields; the control thread publishes and retires slots, fills the
// lease mailbox and reads counters and numbers (relaxed atomics; each field has one writer).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "linecrypt/counters.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/replay_window.hpp"

namespace linecrypt {

enum class SaProtocol : std::uint8_t { none, esp, macsec };

// Hands the next lease from the control thread to the worker without a lock.
class LeaseMailbox {
 public:
  // Control thread. False while the last one was not taken yet. No lease begins at 0: that is the empty box.
  bool put(Lease lease) noexcept {
    if (full()) return false;
    end_ = lease.end;
    begin_.store(lease.begin, std::memory_order_release);
    return true;
  }
  // Worker. False if empty.
  bool take(Lease& lease) noexcept {
    if (!peek(lease)) return false;
    begin_.store(0, std::memory_order_release);
    return true;
  }
  // Worker. What take() would give; false if empty.
  bool peek(Lease& lease) const noexcept {
    const std::uint64_t begin = begin_.load(std::memory_order_acquire);
    if (begin == 0) return false;
    lease = {begin, end_};
    return true;
  }
  [[nodiscard]] bool full() const noexcept { return begin_.load(std::memory_order_acquire) != 0; }
  // Only while no worker can see the slot. `end` is that of the lease which the SA starts with.
  void clear(std::uint64_t end = 0) noexcept {
    end_ = end;
    begin_.store(0, std::memory_order_release);
  }
  // Control thread: the end of the last lease put, or what clear() was told.
  [[nodiscard]] std::uint64_t last_end() const noexcept { return end_; }

 private:
  std::atomic<std::uint64_t> begin_{0};
  std::uint64_t end_ = 0;
};

// Lifetimes in packets and bytes; 0 means no limit. Seconds are the control thread's.
struct SaLimit {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};
struct SaLimits {
  SaLimit soft;
  SaLimit hard;

  SaLimits() = default;
  explicit SaLimits(const Lifetime& lifetime) noexcept
      : soft{lifetime.soft.packets, lifetime.soft.bytes}, hard{lifetime.hard.packets, lifetime.hard.bytes} {}
  [[nodiscard]] bool any() const noexcept { return (soft.packets | soft.bytes | hard.packets | hard.bytes) != 0; }
};

// Three cache lines, in the order in which packets want them. Ingress touches the first, egress the first and the third
// (numbers); the second is for what seldom happens.
struct alignas(64) SaSlot {
  std::atomic<std::uint32_t> generation{0};  // of the SA that is live here; 0: none. Published last, cleared first
  SaProtocol protocol = SaProtocol::none;
  Direction direction = Direction::egress;
  std::atomic<bool> expired{false};           // past a hard lifetime: stops the SA
  bool soft_reported = false;                 // worker's
  bool lease_low_reported = false;            // worker's
  bool limited = false;                       // `limits` has some; set_limits() keeps it
  std::uint32_t lease_low_distance = 0;       // worker's; so many numbers before the lease's end renewal is asked for
  void* context = nullptr;                    // the engine's own (round keys, header template)
  ReplayWindow window;                        // ingress
  SaCounters counters;                        // `packets` and `bytes` in the first line, refusals in the second
  std::atomic<std::uint64_t> next_number{0};  // egress, worker's; the next number to use
  std::atomic<std::uint64_t> lease_end{0};    // egress, worker's; first number not lent
  LeaseMailbox mailbox;
  std::atomic<const SaLimits*> limits{nullptr};  // the engine's; never none while `limited`

  // Before the slot is published. `of_engine` stays until the SA is gone, or until another with equal limits took its
  // place in `limits`.
  void set_limits(const SaLimits* of_engine) noexcept {
    limited = of_engine != nullptr && of_engine->any();
    limits.store(limited ? of_engine : nullptr, std::memory_order_release);
  }
};
static_assert(sizeof(SaSlot) == 192, "memory per SA is a promise: tests/host/software/memory_test.cpp");
static_assert(offsetof(SaSlot, counters) + offsetof(SaCounters, bytes) + sizeof(Counter) == 64);
static_assert(offsetof(SaSlot, next_number) >= 128);

}  // namespace linecrypt
