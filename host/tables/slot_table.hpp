// SlotTable: owns the SA slots and hands out ids. Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "host/values/huge_memory.hpp"
#include "linecrypt/ids.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::tables {

class SlotTable {
 public:
  explicit SlotTable(std::uint32_t capacity);
  [[nodiscard]] std::span<SaSlot> slots() noexcept { return {slots_.data(), capacity_}; }
  [[nodiscard]] std::span<const SaSlot> slots() const noexcept { return {slots_.data(), capacity_}; }
  // A free index under a generation never used for it before (0 is skipped); an error names the capacity. An index that
  // went through all 2^32 - 1 generations is not handed out again.
  Result<SaId> allocate();
  // Only after the engine removed the SA. An id that is not allocated is ignored. An index rests while
  // others are free, so that an engine need not wait until every worker has left it.
  void release(SaId id) noexcept;
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  // What the table costs a slot, in bytes; the bit of allocated_ counts as one.
  static constexpr std::size_t bytes_per_slot = sizeof(SaSlot) + 2 * sizeof(std::uint32_t) + 1;

 private:
  std::uint32_t capacity_;
  std::uint32_t used_ = 0;
  HugeArray<SaSlot> slots_;
  std::vector<std::uint32_t> generations_;  // last one handed out for an index; 0: none yet
  std::vector<bool> allocated_;
  std::vector<std::uint32_t> free_;  // a ring: what was released first comes out first
  std::uint32_t next_free_ = 0;
  std::uint32_t free_count_ = 0;
};

}  // namespace linecrypt::tables
