// Patience: time as CardOptions::clock has it, and how long the card may make no progress.
#pragma once

#include <algorithm>
#include <cstdint>

#include "driver/card/engine/card_engine.hpp"

namespace linecrypt::card {

struct Patience {
  Clock clock{};
  std::uint64_t limit_ns = 0;
  [[nodiscard]] std::uint64_t now() const noexcept { return clock.now_ns(clock.self); }
};

// How long nothing has moved while somebody looked. A process that was stopped, or a whole machine, has not seen a card
// stand still: of the time between two looks no more counts than a waiting thread needs on a machine that is busy.
class Standstill {
 public:
  explicit Standstill(Patience patience) noexcept : patience_(patience) { moved(); }

  void moved() noexcept {
    waited_ns_ = 0;
    looked_ns_ = patience_.now();
  }
  // Looks.
  [[nodiscard]] bool too_long() noexcept {
    const std::uint64_t now = patience_.now();
    waited_ns_ += std::min(now - looked_ns_, std::max(patience_.limit_ns / 4, look_least_ns));
    looked_ns_ = now;
    return waited_ns_ > patience_.limit_ns;
  }

 private:
  static constexpr std::uint64_t look_least_ns = 25'000'000;  // above the watchdog's tick
  Patience patience_;
  std::uint64_t waited_ns_ = 0;
  std::uint64_t looked_ns_ = 0;
};

}  // namespace linecrypt::card
