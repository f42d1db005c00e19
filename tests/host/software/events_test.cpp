#include "host/values/events.hpp"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

using namespace linecrypt;

TEST_CASE("Kinds of one slot raised before they are taken come together and once") {
  const auto slots = std::make_unique<SaSlot[]>(3);
  EventFlags flags({slots.get(), 3});
  Events events(flags);
  for (int i = 0; i < 1000; ++i) {
    events.raise(slots[1], EventKind::lease_low);
    events.raise(slots[1], EventKind::hard_lifetime);
    events.raise(slots[2], EventKind::lease_exhausted);
  }
  std::uint32_t index = 0;
  std::uint8_t kinds = 0;
  REQUIRE(events.take(index, kinds));
  CHECK(index == 1);
  CHECK(kinds == (EventFlags::bit(EventKind::lease_low) | EventFlags::bit(EventKind::hard_lifetime)));
  REQUIRE(events.take(index, kinds));
  CHECK(index == 2);
  CHECK(kinds == EventFlags::bit(EventKind::lease_exhausted));
  CHECK_FALSE(events.take(index, kinds));
  events.raise(slots[1], EventKind::lease_low);
  CHECK(events.take(index, kinds));
}

TEST_CASE("Nothing raised by workers is lost while the control thread takes") {
  // Each worker counts up in a slot and raises; whoever takes an event must then see the newest count, so at the end
  // the last count of each slot has been seen. Two queues share one slot.
  constexpr std::size_t count = 5;
  const auto slots = std::make_unique<SaSlot[]>(count);
  EventFlags flags({slots.get(), count});
  Events first(flags);
  Events second(flags);
  std::array<std::atomic<std::uint32_t>, count> raised{};
  std::array<std::uint32_t, count> seen{};
  std::atomic<int> running{2};
  const auto work = [&](Events& events, std::uint32_t from) {
    std::mt19937 random(from);
    for (int i = 0; i < 200'000; ++i) {
      const auto slot = static_cast<std::uint32_t>(from + random() % 3);
      raised[slot].fetch_add(1);
      events.raise(slots[slot], EventKind::lease_exhausted);
    }
    running.fetch_sub(1);
  };
  std::thread one(work, std::ref(first), 0);
  std::thread two(work, std::ref(second), 2);
  bool last = false;
  std::uint64_t taken = 0;
  while (true) {
    last = running.load() == 0;
    std::uint32_t index = 0;
    std::uint8_t kinds = 0;
    for (Events* events : {&first, &second}) {
      while (events->take(index, kinds)) {
        ++taken;
        REQUIRE(kinds == EventFlags::bit(EventKind::lease_exhausted));
        seen[index] = raised[index].load();
      }
    }
    if (last) break;
  }
  one.join();
  two.join();
  for (std::size_t i = 0; i < count; ++i) CHECK(seen[i] == raised[i].load());
  CHECK(taken > 0);
}
