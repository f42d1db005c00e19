#include "firmware_hls/base/stream.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/base/ram.hpp"
#include "tests/support/memory_flags.hpp"

namespace linecrypt::firmware {

TEST_CASE("An item can be read after the latency and not a cycle before") {
  const unsigned latency = GENERATE(1U, 2U, 7U, 40U);
  Clock clock;
  Stream<int> stream(clock, 2, latency);
  stream.write(11);
  for (unsigned cycle = 0; cycle < latency; ++cycle) {
    REQUIRE(stream.empty());
    clock.tick();
  }
  REQUIRE_FALSE(stream.empty());
  CHECK(stream.read() == 11);
  CHECK(stream.empty());
  CHECK(stream.pending() == 0);
}

TEST_CASE("One item a cycle flows through a stream of any latency without a pause, in order") {
  const unsigned latency = GENERATE(1U, 3U, 30U);
  Clock clock;
  Stream<int> stream(clock, 2, latency);
  int expected = 0;
  for (int written = 0; written < 200; ++written) {
    REQUIRE_FALSE(stream.full());
    stream.write(written);
    if (!stream.empty()) {
      REQUIRE(stream.read() == expected);
      ++expected;
    }
    clock.tick();
  }
  CHECK(expected == 200 - static_cast<int>(latency));
  CHECK(stream.deepest() == 1);
}

TEST_CASE("A stream that nobody reads takes its depth and its pipeline's registers, then is full") {
  Clock clock;
  Stream<int> stream(clock, 5, 4);
  int taken = 0;
  for (int cycle = 0; cycle < 50; ++cycle) {
    if (!stream.full()) stream.write(taken++);
    clock.tick();
  }
  CHECK(taken == 5 + 3);
  CHECK(stream.deepest() == 8);
  CHECK_THROWS_AS(stream.write(0), std::logic_error);
}

TEST_CASE("Reading nothing, a depth of nothing and a latency of nothing are errors") {
  Clock clock;
  Stream<Beat> stream(clock);
  CHECK_THROWS_AS(stream.read(), std::logic_error);
  stream.write(Beat{ap_uint<512>(1), 64, false});
  CHECK_THROWS_AS(stream.read(), std::logic_error);
  CHECK_THROWS_AS(Stream<int>(clock, 0, 1), std::logic_error);
  CHECK_THROWS_AS(Stream<int>(clock, 1, 0), std::logic_error);
}

TEST_CASE("A write to a table is seen after its delay and not a cycle before") {
  Clock clock;
  Ram<int, 16, 3> ram(clock);
  ram.write(5, 50);
  clock.tick();
  ram.write(5, 51);
  for (int cycle = 1; cycle < 3; ++cycle) {
    CHECK(ram.read(5) == 0);
    clock.tick();
  }
  CHECK(ram.read(5) == 50);
  clock.tick();
  CHECK(ram.read(5) == 51);
}

TEST_CASE("A table takes a write every cycle for ever") {
  Clock clock;
  Ram<std::uint64_t, 4, 2> ram(clock);
  for (std::uint64_t i = 0; i < 100; ++i) {
    ram.write(i % 4, i);
    if (i >= 2) {
      REQUIRE(ram.read((i - 2) % 4) == i - 2);
    }
    clock.tick();
  }
}

TEST_CASE("A table has two ports and an end") {
  Clock clock;
  Ram<int, 4, 1> ram(clock);
  ram.write(0, 1);
  CHECK(ram.read(1) == 0);
  CHECK(ram.read(1) == 0);
  CHECK_THROWS_AS(ram.read(2), std::logic_error);
  clock.tick();
  CHECK(ram.read(0) == 1);
  CHECK_THROWS_AS(ram.read(4), std::out_of_range);
  CHECK_THROWS_AS(ram.write(4, 0), std::out_of_range);
}

TEST_CASE("What a table holds is in no core dump") {
  Clock clock;
  Ram<std::uint64_t, 512, 1> ram(clock);
  CHECK(test::memory_flags(&ram.read(7)).find(" dd ") != std::string::npos);
  const std::uint64_t outside = 0;
  CHECK(test::memory_flags(&outside).find(" dd ") == std::string::npos);
}

TEST_CASE("What waits in a stream is in no core dump") {
  // An item that knows where it is kept.
  struct Item {
    Item() = default;
    Item(const Item&) = default;
    ~Item() = default;
    Item& operator=(const Item& other) {
      if (this != &other) value = other.value;
      *kept_at() = this;
      return *this;
    }
    static const Item** kept_at() {
      static const Item* place = nullptr;
      return &place;
    }
    int value = 0;
  };
  Clock clock;
  Stream<Item> stream(clock);
  stream.write(Item{});
  CHECK(test::memory_flags(*Item::kept_at()).find(" dd ") != std::string::npos);
}

}  // namespace linecrypt::firmware
