#include "host/control/lease_sizer.hpp"

#include <catch2/catch.hpp>

namespace linecrypt::control {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

TEST_CASE("A lease is about one second of the measured rate") {
  LeaseSizer sizer(true);
  CHECK(sizer.first() == LeaseSizer::first_wide);
  sizer.start(1, 0);
  CHECK(sizer.next(1 + 50'000, second / 2, false) == 100'000);
  CHECK(sizer.next(1 + 100'000, second, false) == 100'000);
  CHECK(sizer.next(1 + 110'000, 2 * second, false) == 10'000);
}

TEST_CASE("Its size has bounds, 2^20, and 2^16 of a 32-bit space") {
  LeaseSizer wide(true);
  wide.start(1, 0);
  CHECK(wide.next(1'000'000'000, second, false) == lease_largest);
  CHECK(wide.next(1'000'000'001, 2 * second, false) == LeaseSizer::smallest);
  LeaseSizer narrow(false);
  CHECK(narrow.first() == LeaseSizer::smallest);
  narrow.start(1, 0);
  CHECK(narrow.next(1'000'000, second, false) == lease_largest_32bit);
}

TEST_CASE("An SA that ran dry gets four times as many, whatever the rate seemed to be") {
  LeaseSizer sizer(true);
  sizer.start(1, 0);
  CHECK(sizer.next(1 + 16384, 60 * second, true) == 4 * LeaseSizer::first_wide);
  CHECK(sizer.next(1 + 16384, 120 * second, true) == 16 * LeaseSizer::first_wide);
  for (int i = 0; i < 10; ++i) CHECK(sizer.next(1 + 16384, 180 * second, true) <= lease_largest);
}

TEST_CASE("A clock that stands still or runs backwards is no division by zero") {
  LeaseSizer sizer(true);
  sizer.start(100, second);
  CHECK(sizer.next(200, second, false) == 100'000);
  CHECK(sizer.next(100, 0, false) == LeaseSizer::smallest);
}

}  // namespace
}  // namespace linecrypt::control
