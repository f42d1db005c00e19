#include "host/software/aead/vaes/burst.hpp"
#include "tests/support/vaes/bodies.hpp"

namespace linecrypt::test {
namespace {

using namespace software::vaes;

// N blocks. Constants as in vector_256.hpp and vector_512.hpp.
template <std::size_t N>
struct Lanes {
  struct Type {
    __m128i block[N];
    __m128i& operator[](std::size_t i) { return block[i]; }
    const __m128i& operator[](std::size_t i) const { return block[i]; }
  };
  static constexpr std::size_t lanes = N;
  static constexpr std::size_t stride = 4;
  static constexpr std::size_t powers = N == 2 ? 12 : 16;
  static constexpr bool karatsuba = N == 2;
  static constexpr std::size_t small_vectors = N == 2 ? 3 : 2, small_together = 4;
  static constexpr std::size_t medium_vectors = N == 2 ? 5 : 3, medium_together = N;

  template <typename Function>
  static Type each(Function&& function) noexcept {
    Type result;
    for (std::size_t i = 0; i < N; ++i) result[i] = function(i);
    return result;
  }
  static Type zero() noexcept {
    return each([](std::size_t) { return _mm_setzero_si128(); });
  }
  static Type load(const std::uint8_t* from) noexcept {
    return each([&](std::size_t i) { return load_block(from + 16 * i); });
  }
  static void store(std::uint8_t* to, Type value) noexcept {
    for (std::size_t i = 0; i < N; ++i) store_block(to + 16 * i, value[i]);
  }
  static Type load_some(const std::uint8_t* from, std::size_t size) noexcept {
    std::uint8_t bytes[16 * N] = {};
    std::memcpy(bytes, from, size);
    return load(bytes);
  }
  static void store_some(std::uint8_t* to, std::size_t size, Type value) noexcept {
    std::uint8_t bytes[16 * N];
    store(bytes, value);
    std::memcpy(to, bytes, size);
  }
  static Type keep(Type value, std::size_t size) noexcept {
    std::uint8_t bytes[16 * N] = {};
    store_some(bytes, size, value);
    return load(bytes);
  }
  static Type everywhere(const std::uint8_t* from) noexcept {
    return each([&](std::size_t) { return load_block(from); });
  }
  static Type lowest(__m128i block) noexcept {
    Type result = zero();
    result[0] = block;
    return result;
  }
  static __m128i lowest_of(Type value) noexcept { return value[0]; }
  static __m128i fold(Type value) noexcept {
    __m128i folded = value[0];
    for (std::size_t i = 1; i < N; ++i) folded = _mm_xor_si128(folded, value[i]);
    return folded;
  }
  static Type one_block_on(Type a, Type b) noexcept {
    return each([&](std::size_t i) { return i + 1 < N ? a[i + 1] : b[0]; });
  }
  static Type pair(__m128i low, __m128i high) noexcept {
    Type result = lowest(low);
    result[1] = high;
    return result;
  }
  static Type counters(__m128i first) noexcept {
    return each([&](std::size_t i) { return _mm_add_epi32(first, _mm_set_epi32(0, 0, 0, static_cast<int>(i))); });
  }
  static Type step() noexcept {
    return each([](std::size_t) { return _mm_set_epi32(0, 0, 0, N); });
  }
  static Type add(Type a, Type b) noexcept {
    return each([&](std::size_t i) { return _mm_add_epi32(a[i], b[i]); });
  }
  static Type sum(Type a, Type b) noexcept {
    return each([&](std::size_t i) { return _mm_xor_si128(a[i], b[i]); });
  }
  static Type reversed(Type value) noexcept {
    return each([&](std::size_t i) { return reverse(value[i]); });
  }
  static Type halves_swapped(Type value) noexcept {
    return each([&](std::size_t i) { return _mm_shuffle_epi32(value[i], 0x4e); });
  }
  static Type round(Type value, Type key) noexcept {
    return each([&](std::size_t i) { return _mm_aesenc_si128(value[i], key[i]); });
  }
  static Type last_round(Type value, Type key) noexcept {
    return each([&](std::size_t i) { return _mm_aesenclast_si128(value[i], key[i]); });
  }
  template <int H>
  static Type multiply(Type a, Type b) noexcept {
    return each([&](std::size_t i) { return _mm_clmulepi64_si128(a[i], b[i], H); });
  }
  static void clear_registers() noexcept { _mm256_zeroall(); }
};

}  // namespace

const Body body_of_two_lanes = make_body<Lanes<2>>("2 lanes of AES-NI");
const Body body_of_four_lanes = make_body<Lanes<4>>("4 lanes of AES-NI");

}  // namespace linecrypt::test
