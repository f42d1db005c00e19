#include "firmware_hls/base/ap_uint.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <type_traits>

namespace linecrypt::firmware {
namespace {

// The oracle: a number as single bits.
template <int N>
using Bits = std::array<bool, N>;

template <int N>
Bits<N> bits_of(const ap_uint<N>& value) {
  Bits<N> bits{};
  for (std::size_t i = 0; i < N; ++i) bits[i] = (word_of(value, static_cast<int>(i / 64)) >> (i % 64) & 1U) != 0;
  return bits;
}

template <int N>
ap_uint<N> random_value(std::mt19937_64& random) {
  ap_uint<N> value(0);
  for (int i = 0; i < (N + 63) / 64; ++i) set_word_of(value, i, random());
  return value;
}

template <int N>
void check_width() {
  CAPTURE(N);
  std::mt19937_64 random(N);
  for (int round = 0; round < 4; ++round) {
    const ap_uint<N> a = random_value<N>(random);
    const ap_uint<N> b = random_value<N>(random);
    const Bits<N> x = bits_of(a);
    const Bits<N> y = bits_of(b);
    Bits<N> both{};
    Bits<N> either{};
    Bits<N> one{};
    Bits<N> none{};
    for (std::size_t i = 0; i < N; ++i) {
      both[i] = x[i] && y[i];
      either[i] = x[i] || y[i];
      one[i] = x[i] != y[i];
      none[i] = !x[i];
    }
    CHECK(bits_of<N>(a & b) == both);
    CHECK(bits_of<N>(a | b) == either);
    CHECK(bits_of<N>(a ^ b) == one);
    CHECK(bits_of<N>(~a) == none);
    CHECK((a == b) == (x == y));
    CHECK(a == ap_uint<N>(a));
    for (std::size_t by = 0; by <= N; by += by < 70 ? 1 : 61) {
      Bits<N> left{};
      Bits<N> right{};
      for (std::size_t i = 0; i < N; ++i) {
        if (i >= by) left[i] = x[i - by];
        if (i + by < N) right[i] = x[i + by];
      }
      REQUIRE(bits_of<N>(a << static_cast<unsigned>(by)) == left);
      REQUIRE(bits_of<N>(a >> static_cast<unsigned>(by)) == right);
    }
    const ap_uint<N + 96> wide(a);
    CHECK(ap_uint<N>(wide) == a);
    CHECK(ap_uint<96>(wide >> N) == ap_uint<96>(0));
    CHECK(ap_uint<N / 2 + 1>(a) == ap_uint<N / 2 + 1>(wide));
  }
}

}  // namespace

TEST_CASE("Every operator agrees with single bits at widths on and beside the words' borders") {
  check_width<1>();
  check_width<5>();
  check_width<63>();
  check_width<64>();
  check_width<65>();
  check_width<96>();
  check_width<128>();
  check_width<129>();
  check_width<256>();
  check_width<512>();
  check_width<1024>();
}

TEST_CASE("Bits past the width are lost, never kept for later") {
  const ap_uint<5> small(0xffU);
  CHECK(to_u64(small) == 0x1f);
  CHECK(to_u64(ap_uint<5>(~small)) == 0);
  CHECK(to_u64(ap_uint<5>(ap_uint<5>(small << 3) >> 3)) == 3);
  CHECK(to_u64(ap_uint<96>(~ap_uint<96>(0)) >> 64) == 0xffffffffU);
}

TEST_CASE("A slice is what was put in, and its neighbours stay") {
  std::mt19937_64 random(7);
  for (unsigned low = 0; low <= 512 - 128; ++low) {
    const auto value = random_value<512>(random);
    const auto part = random_value<128>(random);
    const auto changed = with_slice<128>(value, low, part);
    REQUIRE(slice<128>(changed, low) == part);
    auto x = bits_of(value);
    const auto y = bits_of(part);
    for (std::size_t i = 0; i < 128; ++i) x[low + i] = y[i];
    REQUIRE(bits_of(changed) == x);
  }
}

TEST_CASE("Byte i is bits 8i+7..8i, in memory and in the value") {
  std::array<std::uint8_t, 64> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(3 * i + 1);
  const auto value = from_bytes<512>(bytes.data());
  for (unsigned i = 0; i < 64; ++i) CHECK(byte_of(value, i) == bytes[i]);
  std::array<std::uint8_t, 64> back{};
  to_bytes(value, back.data());
  CHECK(back == bytes);
  CHECK(to_u64(value) == 0x16'13'10'0d'0a'07'04'01U);
}

TEST_CASE("The first bytes stay and the others become zero, at every count") {
  std::mt19937_64 random(9);
  for (unsigned count = 0; count <= 64; ++count) {
    const auto value = random_value<512>(random);
    const auto kept = first_bytes(value, count);
    for (unsigned i = 0; i < 64; ++i) REQUIRE(byte_of(kept, i) == (i < count ? byte_of(value, i) : 0));
  }
}

TEST_CASE("Turning the order of bytes is its own inverse") {
  CHECK(swap16(0x0102) == 0x0201);
  CHECK(swap32(0x01020304U) == 0x04030201U);
  CHECK(swap64(0x0102030405060708U) == 0x0807060504030201U);
}

}  // namespace linecrypt::firmware
