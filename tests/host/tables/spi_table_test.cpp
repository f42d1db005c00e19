#include "host/tables/spi_table.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace linecrypt::tables {
namespace {

using Catch::Contains;

// What a lookup of `spi` gave before, so that a mix of two entries shows: the generation says which SPI it was for.
SaId id_for(std::uint32_t spi, std::uint32_t round) {
  return {spi ^ (round * 0x10001U), (spi * 2654435761U + round * 40503U) | 1U};
}

TEST_CASE("Random inserts and removes agree with a map") {
  const std::uint32_t capacity = GENERATE(1U, 2U, 5U, 64U, 1000U);
  SpiTable table(capacity);
  std::map<std::uint32_t, SaId> oracle;
  std::mt19937 random(capacity);
  // Few different SPIs, so that removes hit and buckets overflow.
  const auto any_spi = [&] { return 256 + static_cast<std::uint32_t>(random() % (capacity * 2 + 1)); };
  for (std::uint32_t step = 0; step < 20000; ++step) {
    const std::uint32_t spi = any_spi();
    if (random() % 2 == 0) {
      const SaId id{step, step + 1};
      const bool free = oracle.count(spi) == 0 && oracle.size() < capacity;
      const auto inserted = table.insert(spi, id);
      REQUIRE(inserted.ok() == free);
      if (free) oracle[spi] = id;
    } else {
      table.remove(spi);
      oracle.erase(spi);
    }
    REQUIRE(table.size() == oracle.size());
    const std::uint32_t probe = any_spi();
    const auto found = oracle.find(probe);
    REQUIRE(table.find(probe) == (found == oracle.end() ? SaId{} : found->second));
  }
  for (const auto& [spi, id] : oracle) CHECK(table.find(spi) == id);
}

TEST_CASE("Refusals name the SPI or the capacity") {
  SpiTable table(2);
  const auto reserved = table.insert(255, {1, 1});
  REQUIRE_FALSE(reserved.ok());
  CHECK_THAT(reserved.error().message, Contains("0x000000ff") && Contains("0x00000100"));
  REQUIRE(table.insert(256, {1, 1}).ok());
  const auto again = table.insert(256, {2, 1});
  REQUIRE_FALSE(again.ok());
  CHECK_THAT(again.error().message, Contains("0x00000100") && Contains("in use"));
  CHECK(table.find(256) == SaId{1, 1});
  REQUIRE(table.insert(0xffffffff, {3, 1}).ok());
  const auto full = table.insert(257, {4, 1});
  REQUIRE_FALSE(full.ok());
  CHECK_THAT(full.error().message, Contains("all 2 entries"));
  CHECK_FALSE(table.find(0).valid());
}

TEST_CASE("A burst gives what single lookups give") {
  SpiTable table(1000);
  std::mt19937 random(1);
  for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(table.insert(1000 + i * 7, {i, 1}).ok());
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 64U, 200U}) {
    std::vector<std::uint32_t> spis(size);
    for (auto& spi : spis) spi = 1000 + static_cast<std::uint32_t>(random() % 8000);
    std::vector<SaId> ids(size);
    table.find(spis, ids);
    for (std::size_t i = 0; i < size; ++i) CHECK(ids[i] == table.find(spis[i]));
  }
}

TEST_CASE("A million entries fit and are found") {
  constexpr std::uint32_t count = 1U << 20U;
  SpiTable table(count);
  for (std::uint32_t i = 0; i < count; ++i)
    if (!table.insert(256 + i, {i, 1})) FAIL(i);
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < count; ++i) wrong += table.find(256 + i) == SaId{i, 1} ? 0U : 1U;
  CHECK(wrong == 0);
  CHECK_FALSE(table.insert(256 + count, {0, 1}).ok());
}

// Run it under the thread sanitizer too.
TEST_CASE("Readers see the old or the new entry, never a mix, and always the entries that stay") {
  constexpr std::uint32_t resident = 64;
  constexpr std::uint32_t moving = 64;
  SpiTable table(resident + moving);
  const auto resident_spi = [](std::uint32_t i) { return 0x1000U + i; };
  const auto moving_spi = [](std::uint32_t i) { return 0x5000U + i; };
  for (std::uint32_t i = 0; i < resident; ++i) REQUIRE(table.insert(resident_spi(i), id_for(resident_spi(i), 0)).ok());

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> missing{0};
  std::atomic<std::uint64_t> mixed{0};
  std::atomic<std::uint64_t> hits{0};
  const auto read = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<std::uint32_t> spis(32);
    std::vector<SaId> ids(32);
    while (!stop.load(std::memory_order_relaxed)) {
      for (auto& spi : spis)
        spi = random() % 2 == 0 ? resident_spi(random() % resident) : moving_spi(random() % moving);
      table.find(spis, ids);
      for (std::size_t i = 0; i < spis.size(); ++i) {
        if (!ids[i].valid()) {
          if (spis[i] < 0x5000U) missing.fetch_add(1);
          continue;
        }
        hits.fetch_add(1, std::memory_order_relaxed);
        // The round is what the index says; the generation must be of the same round and SPI.
        const std::uint32_t round = (ids[i].index ^ spis[i]) / 0x10001U;
        if (ids[i] != id_for(spis[i], round)) mixed.fetch_add(1);
      }
    }
  };
  std::vector<std::thread> readers;
  for (std::uint32_t i = 0; i < 2; ++i) readers.emplace_back(read, i);
  std::mt19937 random(7);
  std::map<std::uint32_t, bool> present;
  for (std::uint32_t round = 1; round < 30000; ++round) {
    const std::uint32_t spi = moving_spi(random() % moving);
    if (present[spi]) {
      table.remove(spi);
      present[spi] = false;
    } else {
      REQUIRE(table.insert(spi, id_for(spi, round % 60000)).ok());
      present[spi] = true;
    }
    if (round % 64 == 0) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(missing.load() == 0);
  CHECK(mixed.load() == 0);
  CHECK(hits.load() > 0);
}

}  // namespace
}  // namespace linecrypt::tables
