#include "host/software/aead/vaes/burst.hpp"
#include "tests/support/vaes/bodies.hpp"

namespace linecrypt::test {
namespace {

using namespace software::vaes;

struct FourLanes {
  static constexpr std::size_t lanes = 4;
  struct Type {
    __m128i block[lanes];
    __m128i& operator[](std::size_t i) { return block[i]; }
    const __m128i& operator[](std::size_t i) const { return block[i]; }
  };
  // As in vector_512.hpp.
  static constexpr std::size_t stride = 4;
  static constexpr std::size_t powers = 16;
  static constexpr bool karatsuba = false;
  static constexpr std::size_t small_vectors = 2, small_together = 4;
  static constexpr std::size_t medium_vectors = 3, medium_together = 4;

  template <typename Function>
  static Type each(Function&& function) noexcept {
    Type result;
    for (std::size_t i = 0; i < lanes; ++i) result[i] = function(i);
    return result;
  }
  static Type zero() noexcept {
    return each([](std::size_t) { return _mm_setzero_si128(); });
  }
  static Type load(const std::uint8_t* from) noexcept {
    return each([&](std::size_t i) { return load_block(from + 16 * i); });
  }
  static void store(std::uint8_t* to, Type value) noexcept {
    for (std::size_t i = 0; i < lanes; ++i) store_block(to + 16 * i, value[i]);
  }
  static Type load_some(const std::uint8_t* from, std::size_t size) noexcept {
    std::uint8_t bytes[16 * lanes] = {};
    std::memcpy(bytes, from, size);
    return load(bytes);
  }
  static void store_some(std::uint8_t* to, std::size_t size, Type value) noexcept {
    std::uint8_t bytes[16 * lanes];
    store(bytes, value);
    std::memcpy(to, bytes, size);
  }
  static Type keep(Type value, std::size_t size) noexcept {
    std::uint8_t bytes[16 * lanes] = {};
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
    for (std::size_t i = 1; i < lanes; ++i) folded = _mm_xor_si128(folded, value[i]);
    return folded;
  }
  static Type one_block_on(Type a, Type b) noexcept {
    return each([&](std::size_t i) { return i + 1 < lanes ? a[i + 1] : b[0]; });
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
    return each([](std::size_t) { return _mm_set_epi32(0, 0, 0, 4); });
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

const Body body_of_four_lanes = make_body<FourLanes>("4 lanes of AES-NI");

}  // namespace linecrypt::test
