// Ingress numbers of authentic packets that come in order, as most do.
#pragma once

#include <cstdint>

#include "host/values/likely.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

// For packets of one SA behind each other: the numbers right behind the window's top are accepted by a comparison each,
// and the window moves over all of them at the end. Any other number is for the window to judge, between pause() and
// resume(). At most 64 numbers are accepted in between (a burst).
class IngressNumbers {
 public:
  // `quiet`: nothing of the protocol's own happens where the next number is accepted.
  [[gnu::always_inline]] IngressNumbers(SaSlot& slot, bool quiet) noexcept : slot_(slot) { resume(quiet); }
  [[gnu::always_inline]] ~IngressNumbers() { pause(); }
  IngressNumbers(const IngressNumbers&) = delete;
  IngressNumbers& operator=(const IngressNumbers&) = delete;

  // True: `number`, which is not 0, is the next one and accepted. False: nothing happened.
  [[nodiscard, gnu::always_inline]] bool accept_next(std::uint64_t number) noexcept {
    if (!nearly_always(number == next_)) return false;
    ++next_;
    return true;
  }

  // The window is up to date, and may be changed, from pause() to resume().
  [[gnu::always_inline]] void pause() noexcept {
    if (next_ != first_) slot_.window.accept_run(next_ - 1);
    first_ = next_;
  }
  // There is no next number where each has to be looked at: without a window, and where the SA has stopped or may stop
  // behind any packet (lifetimes).
  [[gnu::always_inline]] void resume(bool quiet) noexcept {
    const bool stops = slot_.limited || slot_.expired.load(std::memory_order_relaxed);
    first_ = next_ = quiet && !stops && slot_.window.size() != 0 ? slot_.window.top() + 1 : 0;
  }

 private:
  SaSlot& slot_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace linecrypt
