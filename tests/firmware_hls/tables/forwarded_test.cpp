// A table that is read, changed and written each cycle, over a RAM that shows a write D cycles later.
#include "firmware_hls/tables/forwarded.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace linecrypt::firmware;

namespace {

constexpr u32 entries = 4;

// Adds one to entries in a random order, back to back; what each ends with.
template <class Table>
std::vector<u64> counted(Table& table, Clock& clock, const std::vector<u32>& order, bool forwarded) {
  std::vector<u64> seen(entries);
  for (const u32 index : order) {
    if constexpr (requires { table.tick(); }) table.tick();
    const u64 value = table.read(index) + 1;
    table.write(index, value);
    seen[index] = value;
    clock.tick();
  }
  (void)forwarded;
  return seen;
}

template <u32 D>
void check_distance() {
  std::mt19937 engine(D);
  const auto random = [&] { return static_cast<u32>(engine()); };
  std::vector<u32> order;
  for (int i = 0; i < 500; ++i) order.push_back(random() % entries);
  for (int i = 0; i < 50; ++i) order.push_back(1);
  std::vector<u64> expected(entries);
  for (const u32 index : order) ++expected[index];
  Clock clock;
  Forwarded<u64, entries, D> table(clock);
  CHECK(counted(table, clock, order, true) == expected);
  // The RAM alone loses counts: the test can fail.
  Clock other;
  Ram<u64, entries, D> plain(other);
  CHECK((counted(plain, other, order, false) == expected) == (D == 1));
}

}  // namespace

TEST_CASE("Forwarding hides the RAM's latency at every distance") {
  check_distance<1>();
  check_distance<2>();
  check_distance<3>();
  check_distance<4>();
  check_distance<7>();
}

TEST_CASE("Pauses between accesses change nothing") {
  Clock clock;
  Forwarded<u64, entries, 3> table(clock);
  std::mt19937 engine(5);
  const auto random = [&] { return static_cast<u32>(engine()); };
  u64 expected = 0;
  for (int i = 0; i < 300; ++i) {
    for (u32 pause = random() % 6; pause > 0; --pause) {
      table.tick();
      clock.tick();
    }
    // Cycles in which the owner is not called at all.
    for (u32 skipped = random() % 3; skipped > 0; --skipped) clock.tick();
    table.tick();
    REQUIRE(table.read(2) == expected);
    table.write(2, ++expected);
    clock.tick();
  }
}
