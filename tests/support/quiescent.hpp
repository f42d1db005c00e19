// Quiescent states of a few workers, for tests: Reclamation that can only wait, or that need not.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "linecrypt/engine.hpp"

namespace linecrypt::test {

class Quiescent {
 public:
  static constexpr std::size_t workers = 4;

  // ---- worker `w` ----
  void enter(std::size_t w) noexcept { seen_[w].store(moment_.load()); }
  void quiescent(std::size_t w) noexcept { seen_[w].store(moment_.load()); }
  void leave(std::size_t w) noexcept { seen_[w].store(away); }

  // ---- control thread ----
  std::uint64_t begin() noexcept { return moment_.fetch_add(1) + 1; }
  [[nodiscard]] bool passed(std::uint64_t moment) const noexcept {
    for (const auto& seen : seen_)
      if (seen.load() < moment) return false;
    return true;
  }
  void wait() noexcept {
    waits_.fetch_add(1);
    for (const std::uint64_t moment = begin(); !passed(moment);) std::this_thread::yield();
  }
  // How often somebody waited.
  [[nodiscard]] std::uint64_t waits() const noexcept { return waits_.load(); }

  Reclamation waiting() noexcept {
    return {this, [](void* self) { static_cast<Quiescent*>(self)->wait(); }};
  }
  Reclamation deferring() noexcept {
    return {this, [](void* self) { static_cast<Quiescent*>(self)->wait(); },
            [](void* self) { return static_cast<Quiescent*>(self)->begin(); },
            [](void* self, std::uint64_t moment) { return static_cast<Quiescent*>(self)->passed(moment); }};
  }

 private:
  static constexpr std::uint64_t away = ~std::uint64_t{0};
  std::atomic<std::uint64_t> moment_{0};
  std::array<std::atomic<std::uint64_t>, workers> seen_{away, away, away, away};
  std::atomic<std::uint64_t> waits_{0};
};

}  // namespace linecrypt::test
