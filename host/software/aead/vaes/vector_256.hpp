// Two blocks a register: VAES, VPCLMULQDQ, AVX2. What each function does is said in vector_128.hpp.
#pragma once

#include "host/software/aead/vaes/blocks.hpp"

namespace linecrypt::software::vaes {

struct Vector256 {
  using Type = __m256i;
  static constexpr std::size_t lanes = 2;
  static constexpr std::size_t stride = 4;
  static constexpr std::size_t powers = 12;
  static constexpr bool karatsuba = true;  // a multiplication is four operations on Zen 3
  static constexpr std::size_t small_vectors = 3, small_together = 4;
  static constexpr std::size_t medium_vectors = 5, medium_together = 2;

  [[gnu::always_inline]] static Type zero() noexcept { return _mm256_setzero_si256(); }
  [[gnu::always_inline]] static Type load(const std::uint8_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  [[gnu::always_inline]] static void store(std::uint8_t* to, Type value) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value);
  }
  [[gnu::always_inline]] static Type load_some(const std::uint8_t* from, std::size_t size) noexcept {
    if (size < 16) return lowest(load_piece(from, size));
    return _mm256_set_m128i(load_second(from, size), load_block(from));
  }
  [[gnu::always_inline]] static void store_some(std::uint8_t* to, std::size_t size, Type value) noexcept {
    if (size < 16)
      store_piece(to, size, lowest_of(value));
    else
      store_two(to, size, lowest_of(value), _mm256_extracti128_si256(value, 1));
  }
  [[gnu::always_inline]] static Type keep(Type value, std::size_t size) noexcept {
    return _mm256_and_si256(value, load(first_bytes + 32 - size));
  }

  [[gnu::always_inline]] static Type everywhere(const std::uint8_t* from) noexcept {
    return _mm256_broadcastsi128_si256(load_block(from));
  }
  [[gnu::always_inline]] static Type lowest(__m128i block) noexcept { return _mm256_zextsi128_si256(block); }
  [[gnu::always_inline]] static __m128i lowest_of(Type value) noexcept { return _mm256_castsi256_si128(value); }
  [[gnu::always_inline]] static __m128i fold(Type value) noexcept {
    return _mm_xor_si128(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
  }
  [[gnu::always_inline]] static Type one_block_on(Type a, Type b) noexcept {
    return _mm256_permute2x128_si256(a, b, 0x21);
  }
  // A pair in the two lowest lanes.
  [[gnu::always_inline]] static Type pair(__m128i low, __m128i high) noexcept { return _mm256_set_m128i(high, low); }

  [[gnu::always_inline]] static Type counters(__m128i first) noexcept {
    return add(_mm256_broadcastsi128_si256(first), _mm256_set_epi32(0, 0, 0, 1, 0, 0, 0, 0));
  }
  [[gnu::always_inline]] static Type step() noexcept { return _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2); }

  [[gnu::always_inline]] static Type add(Type a, Type b) noexcept { return _mm256_add_epi32(a, b); }
  [[gnu::always_inline]] static Type sum(Type a, Type b) noexcept { return _mm256_xor_si256(a, b); }
  [[gnu::always_inline]] static Type reversed(Type value) noexcept {
    return _mm256_shuffle_epi8(value, _mm256_broadcastsi128_si256(reversal()));
  }
  [[gnu::always_inline]] static Type halves_swapped(Type value) noexcept { return _mm256_shuffle_epi32(value, 0x4e); }
  [[gnu::always_inline]] static Type round(Type value, Type key) noexcept { return _mm256_aesenc_epi128(value, key); }
  [[gnu::always_inline]] static Type last_round(Type value, Type key) noexcept {
    return _mm256_aesenclast_epi128(value, key);
  }
  template <int Halves>
  [[gnu::always_inline]] static Type multiply(Type a, Type b) noexcept {
    return _mm256_clmulepi64_epi128(a, b, Halves);
  }

  [[gnu::always_inline]] static void clear_registers() noexcept { _mm256_zeroall(); }
};

}  // namespace linecrypt::software::vaes
