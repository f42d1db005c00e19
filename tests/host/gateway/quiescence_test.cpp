// Moments that the worker has passed or not, without a wait: what a removal asks.
#include "host/gateway/ports/quiescence.hpp"

#include <catch2/catch.hpp>

using namespace linecrypt;
using gateway::Quiescence;

TEST_CASE("A moment is passed once the worker was quiescent behind it, asleep, or away") {
  auto made = Quiescence::make();
  REQUIRE(made.ok());
  Quiescence& worker = **made;
  const Reclamation asked = worker.reclamation();
  REQUIRE(asked.begin != nullptr);
  REQUIRE(asked.passed != nullptr);
  const auto begin = [&] { return asked.begin(asked.self); };
  const auto passed = [&](std::uint64_t moment) { return asked.passed(asked.self, moment); };

  CHECK(passed(begin()));  // there is no worker yet
  worker.enter();
  const std::uint64_t first = begin();
  const std::uint64_t second = begin();
  CHECK_FALSE(passed(first));
  worker.quiescent();
  CHECK(passed(second));
  CHECK(passed(first));
  const std::uint64_t third = begin();
  CHECK_FALSE(passed(third));
  worker.sleep();
  CHECK(passed(third));
  worker.wake();
  const std::uint64_t fourth = begin();
  CHECK_FALSE(passed(fourth));
  worker.leave();
  CHECK(passed(fourth));
}
