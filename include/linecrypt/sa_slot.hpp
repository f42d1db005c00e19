// SaSlot: the per-SA state that moves between engines. The host allocates and owns the array; an engine works in it
// from open() on.
//
// Threads: the worker that owns the SA writes the hot fields; the control thread publishes and retires slots, fills the
// lease mailbox and reads counters and numbers (relaxed atomics; each field has one writer).
#pragma once

#include <atomic>
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
  // Control thread. False while the last one was not taken yet.
  bool put(Lease lease) noexcept {
    if (full_.load(std::memory_order_acquire)) return false;
    lease_ = lease;
    full_.store(true, std::memory_order_release);
    return true;
  }
  // Worker. False if empty.
  bool take(Lease& lease) noexcept {
    if (!full_.load(std::memory_order_acquire)) return false;
    lease = lease_;
    full_.store(false, std::memory_order_release);
    return true;
  }
  // Worker. What take() would give; false if empty.
  bool peek(Lease& lease) const noexcept {
    if (!full_.load(std::memory_order_acquire)) return false;
    lease = lease_;
    return true;
  }
  [[nodiscard]] bool full() const noexcept { return full_.load(std::memory_order_acquire); }
  // Only while no worker can see the slot.
  void clear() noexcept { full_.store(false, std::memory_order_release); }

 private:
  Lease lease_;
  std::atomic<bool> full_{false};
};

struct alignas(64) SaSlot {
  // ---- hot: read or written per packet ----
  std::atomic<std::uint32_t> generation{0};  // of the SA that is live here; 0: none. Published last, cleared first
  SaProtocol protocol = SaProtocol::none;
  Direction direction = Direction::egress;
  std::atomic<bool> expired{false};           // past a hard lifetime: stops the SA
  bool soft_reported = false;                 // worker's
  bool lease_low_reported = false;            // worker's
  void* context = nullptr;                    // the engine's own (round keys, header template)
  std::atomic<std::uint64_t> next_number{0};  // egress, worker's; the next number to use
  std::atomic<std::uint64_t> lease_end{0};    // egress, worker's; first number not lent
  std::uint64_t lease_low_mark = 0;           // worker's; number at which renewal is asked for
  LeaseMailbox mailbox;
  ReplayWindow window;  // ingress
  // ---- cold ----
  SaCounters counters;
  Lifetime lifetime;
};

}  // namespace linecrypt
