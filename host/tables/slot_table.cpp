#include "host/tables/slot_table.hpp"

#include <fmt/core.h>

#include <limits>

namespace linecrypt::tables {

SlotTable::SlotTable(std::uint32_t capacity)
    : capacity_(capacity),
      slots_(std::make_unique<SaSlot[]>(capacity)),
      generations_(capacity, 0),
      allocated_(capacity, false) {
  // The lowest index comes out first: a gateway with few SAs touches few cache lines.
  free_.reserve(capacity);
  for (std::uint32_t index = capacity; index > 0; --index) free_.push_back(index - 1);
}

Result<SaId> SlotTable::allocate() {
  if (free_.empty()) {
    return Error{fmt::format("SA table: all {} slots are in use; raise gateway.max_sas or remove SAs", capacity_)};
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  allocated_[index] = true;
  ++used_;
  return SaId{index, ++generations_[index]};
}

void SlotTable::release(SaId id) noexcept {
  if (id.index >= capacity_ || !allocated_[id.index] || generations_[id.index] != id.generation) return;
  allocated_[id.index] = false;
  --used_;
  if (id.generation == std::numeric_limits<std::uint32_t>::max()) return;
  free_.push_back(id.index);  // capacity was reserved: does not allocate
}

}  // namespace linecrypt::tables
