#include "host/values/key_arena.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <vector>

using namespace linecrypt;

namespace {

// Pages that this process has in memory.
std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t here = 0;
  file >> all >> here;
  return here;
}

}  // namespace

TEST_CASE("Blocks are apart, aligned and zeroed, and zeroed again after use") {
  KeyArena arena(100, 64, 8);
  std::vector<std::uint8_t*> blocks;
  for (int i = 0; i < 50; ++i) {
    auto block = arena.allocate();
    REQUIRE(block.ok());
    blocks.push_back(static_cast<std::uint8_t*>(*block));
  }
  std::vector<std::uint8_t*> sorted = blocks;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    CHECK(reinterpret_cast<std::uintptr_t>(sorted[i]) % 64 == 0);
    CHECK(std::all_of(sorted[i], sorted[i] + 100, [](std::uint8_t byte) { return byte == 0; }));
    if (i != 0) CHECK(sorted[i] - sorted[i - 1] >= 100);
  }
  std::fill_n(blocks[7], 100, std::uint8_t{0xaa});
  arena.release(blocks[7]);
  auto again = arena.allocate();
  REQUIRE(again.ok());
  CHECK(*again == blocks[7]);
  CHECK(std::all_of(blocks[7], blocks[7] + 100, [](std::uint8_t byte) { return byte == 0; }));
}

TEST_CASE("Memory that was reserved is there: taking it touches no new page") {
  constexpr std::size_t count = 4096;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const bool reserved = GENERATE(true, false);
  KeyArena arena(1024, 64);
  if (reserved) REQUIRE(arena.reserve(count).ok());
  std::vector<void*> blocks(count);
  const std::size_t before = resident();
  for (void*& block : blocks) {
    auto taken = arena.allocate();
    if (!taken) FAIL(taken.error().message);
    block = *taken;
    *static_cast<std::uint8_t*>(block) = 1;
  }
  const std::size_t grown = resident() - before;
  // All blocks are 4 MiB. Without reserve() they come as they are asked for, which shows that the count can tell.
  if (reserved)
    CHECK(grown < count * 1024 / page / 8);
  else
    CHECK(grown >= count * 1024 / page);
  for (void* block : blocks) arena.release(block);
}

TEST_CASE("Many blocks come on huge pages, few take little") {
  KeyArena few(512, 64);
  REQUIRE(few.allocate().ok());
  CHECK(few.bytes() <= 256 * 512);
  KeyArena many(512, 64, 256, ArenaHolds::no_keys);
  std::size_t blocks = 0;
  while (many.bytes() < 16 * HugeMemory::huge_page) {
    REQUIRE(many.allocate().ok());
    ++blocks;
  }
  // Never more than twice of what is used, and a chunk of the largest size.
  CHECK(many.bytes() <= 2 * blocks * 512 + 16 * HugeMemory::huge_page);
  if (std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good())
    CHECK(many.huge_bytes() >= many.bytes() - 4 * HugeMemory::huge_page);
  KeyArena exact(512, 64);
  REQUIRE(exact.reserve(100'000).ok());
  CHECK(exact.bytes() <= 100'000 * 512 + HugeMemory::huge_page);
}

TEST_CASE("Large memory is aligned to huge pages, zeroed, and as long as was asked") {
  const std::size_t size = GENERATE(std::size_t{1}, std::size_t{4096}, HugeMemory::huge_page - 1, HugeMemory::huge_page,
                                    3 * HugeMemory::huge_page + 1);
  auto mapped = HugeMemory::map(size);
  REQUIRE(mapped.ok());
  CHECK(mapped->size() >= size);
  CHECK(std::all_of(mapped->data(), mapped->data() + mapped->size(), [](std::byte b) { return b == std::byte{0}; }));
  if (size >= HugeMemory::huge_page)
    CHECK(reinterpret_cast<std::uintptr_t>(mapped->data()) % HugeMemory::huge_page == 0);
  CHECK_FALSE(HugeMemory::map(std::size_t{1} << 60U).ok());
}
