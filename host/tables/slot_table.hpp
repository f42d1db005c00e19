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
  [[nodiscard]] std::span<const SaSlot> slots() const noexcept { return {slots_.get(), capacity_}; }
  // A free index under a generation never used for it before (0 is skipped); an error names the capacity. An index that
  // went through all 2^32 - 1 generations is not handed out again.
  Result<SaId> allocate();
  // Only after the engine removed the SA. An id that is not allocated is ignored.
  void release(SaId id) noexcept;
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  std::uint32_t capacity_;
  std::uint32_t used_ = 0;
  std::unique_ptr<SaSlot[]> slots_;
  std::vector<std::uint32_t> generations_;  // last one handed out for an index; 0: none yet
  std::vector<bool> allocated_;
  std::vector<std::uint32_t> free_;
};

}  // namespace linecrypt::tables
