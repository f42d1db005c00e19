// SlotTable: owns the SA slots and hands out ids. Control thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "linecrypt/ids.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::tables {

class SlotTable {
 public:
  explicit SlotTable(std::uint32_t capacity);
  [[nodiscard]] std::span<SaSlot> slots() noexcept { return {slots_.get(), capacity_}; }
  // A free index under a generation never used for it before (0 is skipped); an error names the capacity.
  Result<SaId> allocate();
  // Only after the engine removed the SA.
  void release(SaId id) noexcept;
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  std::uint32_t capacity_;
  std::uint32_t used_ = 0;
  std::unique_ptr<SaSlot[]> slots_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;
};

}  // namespace linecrypt::tables
