#include "linecrypt/secret.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <new>
#include <sstream>
#include <type_traits>
#include <utility>
#include <vector>

using namespace linecrypt;

namespace {

const std::vector<std::uint8_t> key = {1, 2, 3, 4, 5, 6, 7, 8};

template <typename T>
concept printable = requires(std::ostringstream& out, const T& value) {
  out << value;
};
template <typename T>
concept comparable = requires(const T& a, const T& b) {
  a == b;
};

bool holds_key(const unsigned char* memory, std::size_t size) {
  return std::search(memory, memory + size, key.begin(), key.end()) != memory + size;
}

}  // namespace

TEST_CASE("A secret cannot be copied, printed, formatted or compared in variable time") {
  using S = Secret<32>;
  CHECK_FALSE(std::is_copy_constructible_v<S>);
  CHECK_FALSE(std::is_copy_assignable_v<S>);
  CHECK_FALSE(printable<S>);
  CHECK_FALSE(comparable<S>);
  CHECK_FALSE(fmt::is_formattable<S>::value);
}

TEST_CASE("A secret is cleansed when moved from, overwritten and destroyed") {
  using S = Secret<32>;
  alignas(S) unsigned char memory[sizeof(S)] = {};
  S* secret = new (memory) S(key);
  REQUIRE(holds_key(memory, sizeof memory));
  S taken = std::move(*secret);
  CHECK_FALSE(holds_key(memory, sizeof memory));
  CHECK(std::ranges::equal(taken.bytes(), key));
  *secret = std::move(taken);
  CHECK(taken.empty());  // NOLINT(bugprone-use-after-move): what a move leaves is what is tested
  REQUIRE(holds_key(memory, sizeof memory));
  *secret = S{};
  CHECK_FALSE(holds_key(memory, sizeof memory));
  *secret = S(key);
  secret->~S();
  CHECK_FALSE(holds_key(memory, sizeof memory));
}

TEST_CASE("Secrets are equal by size and bytes") {
  const Secret<32> a(key);
  const Secret<32> b = a.duplicate();
  CHECK(a.equals(b));
  CHECK_FALSE(a.equals(Secret<32>(std::span(key).first(7))));
  for (std::size_t i = 0; i < key.size() * 8; ++i) {
    auto other = key;
    other[i / 8] = static_cast<std::uint8_t>(other[i / 8] ^ (1U << (i % 8)));
    if (a.equals(Secret<32>(other))) FAIL("bit " << i);
  }
}

TEST_CASE("A secret takes no more than its capacity") {
  const std::vector<std::uint8_t> longer(64, 0xaa);
  CHECK(Secret<12>(longer).size() == 12);
}
