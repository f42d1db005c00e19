// What engines that wrap another do with slots: an SA's counters and window seen through the wrapper.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "linecrypt/counters.hpp"
#include "linecrypt/replay_window.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::engines {

inline constexpr std::size_t sa_counter_count = 13;
static_assert(sizeof(SaCounters) == sa_counter_count * sizeof(Counter), "a counter was added: name it below");

// Every counter of an SA, in one order.
template <typename Counters>
[[nodiscard]] auto each_counter(Counters& c) noexcept {
  return std::array{&c.packets,         &c.bytes,           &c.unchecked, &c.delayed,   &c.invalid,
                    &c.validated_bytes, &c.decrypted_bytes, &c.late,      &c.duplicate, &c.bad_icv,
                    &c.mismatch,        &c.malformed,       &c.exhausted};
}

// Counts of the engines that an SA has left.
class CounterBase {
 public:
  void add(const SaCounters& from) noexcept {
    const auto counters = each_counter(from);
    for (std::size_t i = 0; i < sa_counter_count; ++i) base_[i] += counters[i]->get();
  }
  // Brings `to` up to the base and what `live` has counted (none: the SA is in no engine). The one writer of `to`.
  void show(SaCounters& to, const SaCounters* live) const noexcept {
    const auto out = each_counter(to);
    for (std::size_t i = 0; i < sa_counter_count; ++i) {
      const std::uint64_t value = base_[i] + (live == nullptr ? 0 : each_counter(*live)[i]->get());
      if (value > out[i]->get()) out[i]->add(value - out[i]->get());
    }
  }

 private:
  std::array<std::uint64_t, sa_counter_count> base_{};
};

// A replay window with memory of its own.
class KeptWindow {
 public:
  void copy_from(const ReplayWindow& from) {
    if (from.size() != window_.size() || words_ == nullptr) {
      words_ = std::make_unique<std::uint64_t[]>(ReplayWindow::words_for(from.size()));
      window_.attach(words_.get(), from.size());
    }
    window_.copy_from(from);
  }
  // Nothing but a top: numbers up to it count as seen.
  void start(std::uint64_t top) noexcept { window_.reset_fully_marked(top); }
  [[nodiscard]] const ReplayWindow& window() const noexcept { return window_; }

 private:
  std::unique_ptr<std::uint64_t[]> words_;
  ReplayWindow window_;
};

}  // namespace linecrypt::engines
