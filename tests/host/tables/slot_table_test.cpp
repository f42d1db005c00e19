#include "host/tables/slot_table.hpp"

#include <catch2/catch.hpp>
#include <set>

namespace linecrypt::tables {
namespace {

using Catch::Contains;

TEST_CASE("Every slot is handed out once, then the capacity is named") {
  SlotTable table(8);
  std::set<std::uint32_t> indices;
  for (int i = 0; i < 8; ++i) {
    const auto id = table.allocate();
    REQUIRE(id.ok());
    CHECK(id->valid());
    CHECK(id->index < 8);
    indices.insert(id->index);
  }
  CHECK(indices.size() == 8);
  CHECK(table.used() == 8);
  const auto full = table.allocate();
  REQUIRE_FALSE(full.ok());
  CHECK_THAT(full.error().message, Contains("all 8 slots"));
}

TEST_CASE("An index comes back under a generation that it never had") {
  SlotTable table(2);
  std::set<SaId> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = table.allocate();
    REQUIRE(id.ok());
    CHECK(seen.insert(*id).second);
    table.release(*id);
  }
  CHECK(table.used() == 0);
}

TEST_CASE("Releasing an id that is not allocated changes nothing") {
  SlotTable table(2);
  const SaId first = table.allocate().value();
  table.release(first);
  const SaId second = table.allocate().value();
  table.release(first);                             // stale
  table.release({second.index, 0});                 // invalid
  table.release({7, 1});                            // out of range
  table.release({second.index == 0 ? 1U : 0U, 1});  // never handed out
  CHECK(table.used() == 1);
  table.release(second);
  table.release(second);
  CHECK(table.used() == 0);
  CHECK(table.allocate().ok());
  CHECK(table.allocate().ok());
  CHECK_FALSE(table.allocate().ok());
}

TEST_CASE("A released index rests while others are free, and is handed out when none is") {
  SlotTable table(2000);
  const SaId first = table.allocate().value();
  table.release(first);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const SaId next = table.allocate().value();
    REQUIRE(next.index != first.index);
    table.release(next);
  }
  std::set<std::uint32_t> indices;
  for (std::uint32_t i = 0; i < 2000; ++i) indices.insert(table.allocate().value().index);
  CHECK(indices.size() == 2000);
  CHECK_FALSE(table.allocate().ok());
}

TEST_CASE("Slots are cache-line aligned and free") {
  SlotTable table(3);
  CHECK(table.slots().size() == 3);
  for (const SaSlot& slot : table.slots()) {
    CHECK(reinterpret_cast<std::uintptr_t>(&slot) % 64 == 0);
    CHECK(slot.generation.load() == 0);
  }
}

}  // namespace
}  // namespace linecrypt::tables
