#include "host/tables/slot_table.hpp"

#include <fmt/core.h>

#include <limits>
#include <numeric>

namespace linecrypt::tables {

SlotTable::SlotTable(std::uint32_t capacity)
    : capacity_(capacity),
      slots_(capacity),
      generations_(capacity, 0),
      allocated_(capacity, false),
      free_(capacity),
      free_count_(capacity) {
  std::iota(free_.begin(), free_.end(), 0U);
}

Result<SaId> SlotTable::allocate() {
  if (free_count_ == 0) {
    return Error{fmt::format("SA table: all {} slots are in use; raise gateway.max_sas or remove SAs", capacity_)};
  }
  const std::uint32_t index = free_[next_free_];
  next_free_ = next_free_ + 1 == capacity_ ? 0 : next_free_ + 1;
  --free_count_;
  allocated_[index] = true;
  ++used_;
  return SaId{index, ++generations_[index]};
}

void SlotTable::release(SaId id) noexcept {
  if (id.index >= capacity_ || !allocated_[id.index] || generations_[id.index] != id.generation) return;
  allocated_[id.index] = false;
  --used_;
  if (id.generation == std::numeric_limits<std::uint32_t>::max()) return;
  free_[(std::size_t{next_free_} + free_count_) % capacity_] = id.index;
  ++free_count_;
}

}  // namespace linecrypt::tables
