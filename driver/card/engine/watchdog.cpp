#include "driver/card/engine/watchdog.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

namespace linecrypt::card {
namespace {

constexpr auto tick = std::chrono::milliseconds(20);

}  // namespace

Watchdog::Watchdog(const Lanes& lanes, std::shared_ptr<Loss> loss, Patience patience)
    : lanes_(lanes), loss_(std::move(loss)), patience_(patience), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

// 1. A call that is still the one of a while ago hangs.
// 2. Once the card is lost, a thread inside a call is not waited for longer than that; the others see the loss
// themselves.
// 3. A sleeping thread must wake to give its jobs back.
void Watchdog::run() {
  struct Seen {
    std::uint64_t call = 0;
    Standstill since;
  };
  std::array<Seen, abi::directions> seen{Seen{0, Standstill(patience_)}, Seen{0, Standstill(patience_)}};
  bool told = false;
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, tick, [this] { return end_; })) {
    for (std::size_t d = 0; d < lanes_.size(); ++d) {
      // 1.
      const std::uint64_t call = lanes_[d]->current_call();
      if (call == 0 || call != seen[d].call) {
        seen[d].call = call;
        seen[d].since.moved();
        continue;
      }
      if (!seen[d].since.too_long()) continue;
      loss_->report(fmt::format("a transfer did not return for {} ms", patience_.limit_ns / 1'000'000));
      // 2.
      lanes_[d]->replace();
      seen[d].call = 0;
    }
    // 3.
    if (loss_->lost() && !told) {
      told = true;
      for (const auto& lane : lanes_) lane->work_came();
    }
  }
}

}  // namespace linecrypt::card
