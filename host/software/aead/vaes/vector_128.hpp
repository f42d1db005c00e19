// One block a register: AES-NI, PCLMULQDQ, AVX. The vectors of the same shape beside it hold two and four.
#pragma once

#include "host/software/aead/vaes/blocks.hpp"

namespace linecrypt::software::vaes {

struct Vector128 {
  using Type = __m128i;
  static constexpr std::size_t lanes = 1;   // blocks a vector
  static constexpr std::size_t stride = 8;  // vectors that a long message takes at a time
  static constexpr std::size_t powers = 12;
  static constexpr bool karatsuba = true;
  // Small messages: vectors of key stream each (the first block is E(K, Y0)), and how many go together.
  static constexpr std::size_t small_vectors = 6, small_together = 2;
  static constexpr std::size_t medium_vectors = 10, medium_together = 1;

  [[gnu::always_inline]] static Type zero() noexcept { return _mm_setzero_si128(); }
  [[gnu::always_inline]] static Type load(const std::uint8_t* from) noexcept { return load_block(from); }
  [[gnu::always_inline]] static void store(std::uint8_t* to, Type value) noexcept { store_block(to, value); }
  // Fewer bytes than a vector has, at least one.
  [[gnu::always_inline]] static Type load_some(const std::uint8_t* from, std::size_t size) noexcept {
    return load_piece(from, size);
  }
  [[gnu::always_inline]] static void store_some(std::uint8_t* to, std::size_t size, Type value) noexcept {
    store_piece(to, size, value);
  }
  [[gnu::always_inline]] static Type keep(Type value, std::size_t size) noexcept {
    return _mm_and_si128(value, load_block(first_bytes + 32 - size));
  }

  // One block in every lane; in the lowest lane, zeros in the others.
  [[gnu::always_inline]] static Type everywhere(const std::uint8_t* from) noexcept { return load_block(from); }
  [[gnu::always_inline]] static Type lowest(__m128i block) noexcept { return block; }
  [[gnu::always_inline]] static __m128i lowest_of(Type value) noexcept { return value; }
  // The sum of all lanes.
  [[gnu::always_inline]] static __m128i fold(Type value) noexcept { return value; }
  // The lanes of `a` and `b` one block on: without the lowest of `a`, with the lowest of `b`.
  [[gnu::always_inline]] static Type one_block_on(Type /*a*/, Type b) noexcept { return b; }

  // Counters that follow one another; their step from vector to vector.
  [[gnu::always_inline]] static Type counters(__m128i first) noexcept { return first; }
  [[gnu::always_inline]] static Type step() noexcept { return _mm_set_epi32(0, 0, 0, 1); }

  [[gnu::always_inline]] static Type add(Type a, Type b) noexcept { return _mm_add_epi32(a, b); }
  [[gnu::always_inline]] static Type sum(Type a, Type b) noexcept { return _mm_xor_si128(a, b); }
  [[gnu::always_inline]] static Type reversed(Type value) noexcept { return reverse(value); }
  [[gnu::always_inline]] static Type halves_swapped(Type value) noexcept { return _mm_shuffle_epi32(value, 0x4e); }
  [[gnu::always_inline]] static Type round(Type value, Type key) noexcept { return _mm_aesenc_si128(value, key); }
  [[gnu::always_inline]] static Type last_round(Type value, Type key) noexcept {
    return _mm_aesenclast_si128(value, key);
  }
  // Halves: low by low 0x00, high by high 0x11, low of a by high of b 0x10, high of a by low of b 0x01.
  template <int Halves>
  [[gnu::always_inline]] static Type multiply(Type a, Type b) noexcept {
    return _mm_clmulepi64_si128(a, b, Halves);
  }

  [[gnu::always_inline]] static void clear_registers() noexcept { _mm256_zeroall(); }
};

}  // namespace linecrypt::software::vaes
