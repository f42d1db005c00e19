// Seat: what a thread sits on while it calls the card, so that the watchdog can do without it when a call never comes
// back.
//
// The thread marks each call. The watchdog may take the seat only from a thread that is inside a call; that thread
// finds out when the call returns after all, and leaves without touching anything it shared. A thread that is slow
// outside a call (it was not scheduled) keeps its seat: nobody else may finish its work.
#pragma once

#include <atomic>
#include <cstdint>

namespace linecrypt::card {

class Seat {
 public:
  enum class Outcome : std::uint8_t { done, failed, abandoned };

  // The thread: `call` gives false when the transfer failed. After `abandoned` the thread must leave.
  template <typename Call>
  Outcome run(Call&& call) noexcept {
    calls_.store(calls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    std::uint32_t expected = running;
    if (!phase_.compare_exchange_strong(expected, inside, std::memory_order_acq_rel)) return Outcome::abandoned;
    const bool good = call();
    expected = inside;
    if (!phase_.compare_exchange_strong(expected, running, std::memory_order_acq_rel)) return Outcome::abandoned;
    return good ? Outcome::done : Outcome::failed;
  }

  // Watchdog. The call the thread is in now; 0: it is in none.
  [[nodiscard]] std::uint64_t current_call() const noexcept {
    return phase_.load(std::memory_order_acquire) == inside ? calls_.load(std::memory_order_relaxed) : 0;
  }
  // Watchdog. True: the thread was inside a call and has lost its seat.
  bool abandon() noexcept {
    std::uint32_t expected = inside;
    return phase_.compare_exchange_strong(expected, abandoned, std::memory_order_acq_rel);
  }

 private:
  static constexpr std::uint32_t running = 0;
  static constexpr std::uint32_t inside = 1;
  static constexpr std::uint32_t abandoned = 2;
  std::atomic<std::uint32_t> phase_{running};
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace linecrypt::card
