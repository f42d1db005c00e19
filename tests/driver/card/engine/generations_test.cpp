#include "driver/card/engine/generations.hpp"

#include <catch2/catch.hpp>
#include <set>

using linecrypt::card::Generations;

TEST_CASE("Generations go round once, leave out zero, and none comes twice") {
  const std::uint32_t first = GENERATE(0U, 1U, 0x80000000U, 0xfffffffeU, 0xffffffffU);
  Generations generations(first);
  std::set<std::uint32_t> given;
  for (int i = 0; i < 1000; ++i) {
    const auto one = generations.next();
    REQUIRE(one.has_value());
    CHECK(*one != 0);
    CHECK(given.insert(*one).second);
  }
}

TEST_CASE("A session that has used every generation has none left") {
  // As after 2^32 - 3 installs of a session that began behind 41: 42 would be the next to come twice.
  Generations generations(39, Generations::most - 2);
  CHECK(generations.next() == 40U);
  CHECK(generations.next() == 41U);
  CHECK_FALSE(generations.next().has_value());
  CHECK_FALSE(generations.next().has_value());
}
