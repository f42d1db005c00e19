// SaView: slots and plans as the data path sees them: the host's slots, and behind them two of our own for the
// self-test.
#pragma once

#include <cstdint>
#include <span>

#include "driver/card/engine/sa_plan.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::card {

inline constexpr std::uint32_t own_slots = 2;

class SaView {
 public:
  SaView() = default;
  SaView(std::span<SaSlot> slots, std::span<SaSlot> own, std::span<SaPlan> plans) noexcept
      : slots_(slots), own_(own), plans_(plans) {}

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(slots_.size() + own_.size()); }
  // Precondition: index < size().
  [[nodiscard]] SaSlot& slot(std::uint32_t index) const noexcept {
    return index < slots_.size() ? slots_[index] : own_[index - slots_.size()];
  }
  [[nodiscard]] SaPlan& plan(std::uint32_t index) const noexcept { return plans_[index]; }

  // The SA that `sa` names is live now.
  [[nodiscard]] bool live(SaId sa) const noexcept {
    return sa.index < size() && sa.valid() &&
           slot(sa.index).generation.load(std::memory_order_acquire) == sa.generation;
  }

 private:
  std::span<SaSlot> slots_;
  std::span<SaSlot> own_;
  std::span<SaPlan> plans_;
};

}  // namespace linecrypt::card
