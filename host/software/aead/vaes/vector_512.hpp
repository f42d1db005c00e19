// Four blocks a register: VAES, VPCLMULQDQ, AVX-512 F, BW and VL. What each function does is said in vector_128.hpp.
#pragma once

#include "host/software/aead/vaes/blocks.hpp"

namespace linecrypt::software::vaes {

struct Vector512 {
  using Type = __m512i;
  static constexpr std::size_t lanes = 4;
  static constexpr std::size_t stride = 4;
  static constexpr std::size_t powers = 16;
  static constexpr bool karatsuba = false;  // a multiplication is one operation; there is no room for sums of halves
  static constexpr std::size_t small_vectors = 2, small_together = 4;
  static constexpr std::size_t medium_vectors = 3, medium_together = 4;

  [[gnu::always_inline]] static Type zero() noexcept { return _mm512_setzero_si512(); }
  [[gnu::always_inline]] static Type load(const std::uint8_t* from) noexcept { return _mm512_loadu_si512(from); }
  [[gnu::always_inline]] static void store(std::uint8_t* to, Type value) noexcept { _mm512_storeu_si512(to, value); }
  // Lanes that the mask leaves out are not touched in memory either.
  [[gnu::always_inline]] static __mmask64 first(std::size_t size) noexcept { return ~__mmask64{0} >> (64 - size); }
  [[gnu::always_inline]] static Type load_some(const std::uint8_t* from, std::size_t size) noexcept {
    return _mm512_maskz_loadu_epi8(first(size), from);
  }
  [[gnu::always_inline]] static void store_some(std::uint8_t* to, std::size_t size, Type value) noexcept {
    _mm512_mask_storeu_epi8(to, first(size), value);
  }
  [[gnu::always_inline]] static Type keep(Type value, std::size_t size) noexcept {
    return _mm512_maskz_mov_epi8(first(size), value);
  }

  [[gnu::always_inline]] static Type everywhere(const std::uint8_t* from) noexcept {
    return _mm512_broadcast_i32x4(load_block(from));
  }
  [[gnu::always_inline]] static Type lowest(__m128i block) noexcept { return _mm512_zextsi128_si512(block); }
  [[gnu::always_inline]] static __m128i lowest_of(Type value) noexcept { return _mm512_castsi512_si128(value); }
  [[gnu::always_inline]] static __m128i fold(Type value) noexcept {
    const __m256i two = _mm256_xor_si256(_mm512_castsi512_si256(value), _mm512_extracti64x4_epi64(value, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
  }
  [[gnu::always_inline]] static Type one_block_on(Type a, Type b) noexcept { return _mm512_alignr_epi64(b, a, 2); }
  [[gnu::always_inline]] static Type pair(__m128i low, __m128i high) noexcept {
    return _mm512_zextsi256_si512(_mm256_set_m128i(high, low));
  }

  [[gnu::always_inline]] static Type counters(__m128i from) noexcept {
    return add(_mm512_broadcast_i32x4(from), _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0));
  }
  [[gnu::always_inline]] static Type step() noexcept {
    return _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4);
  }

  [[gnu::always_inline]] static Type add(Type a, Type b) noexcept { return _mm512_add_epi32(a, b); }
  [[gnu::always_inline]] static Type sum(Type a, Type b) noexcept { return _mm512_xor_si512(a, b); }
  [[gnu::always_inline]] static Type reversed(Type value) noexcept {
    return _mm512_shuffle_epi8(value, _mm512_broadcast_i32x4(reversal()));
  }
  [[gnu::always_inline]] static Type halves_swapped(Type value) noexcept {
    return _mm512_shuffle_epi32(value, _MM_PERM_BADC);
  }
  [[gnu::always_inline]] static Type round(Type value, Type key) noexcept { return _mm512_aesenc_epi128(value, key); }
  [[gnu::always_inline]] static Type last_round(Type value, Type key) noexcept {
    return _mm512_aesenclast_epi128(value, key);
  }
  template <int Halves>
  [[gnu::always_inline]] static Type multiply(Type a, Type b) noexcept {
    return _mm512_clmulepi64_epi128(a, b, Halves);
  }

  // No intrinsic clears the sixteen registers that vzeroall does not know.
  [[gnu::always_inline]] static void clear_registers() noexcept {
    _mm256_zeroall();
    asm volatile(
        "vpxord %%zmm16, %%zmm16, %%zmm16\n\tvpxord %%zmm17, %%zmm17, %%zmm17\n\t"
        "vpxord %%zmm18, %%zmm18, %%zmm18\n\tvpxord %%zmm19, %%zmm19, %%zmm19\n\t"
        "vpxord %%zmm20, %%zmm20, %%zmm20\n\tvpxord %%zmm21, %%zmm21, %%zmm21\n\t"
        "vpxord %%zmm22, %%zmm22, %%zmm22\n\tvpxord %%zmm23, %%zmm23, %%zmm23\n\t"
        "vpxord %%zmm24, %%zmm24, %%zmm24\n\tvpxord %%zmm25, %%zmm25, %%zmm25\n\t"
        "vpxord %%zmm26, %%zmm26, %%zmm26\n\tvpxord %%zmm27, %%zmm27, %%zmm27\n\t"
        "vpxord %%zmm28, %%zmm28, %%zmm28\n\tvpxord %%zmm29, %%zmm29, %%zmm29\n\t"
        "vpxord %%zmm30, %%zmm30, %%zmm30\n\tvpxord %%zmm31, %%zmm31, %%zmm31"
        :
        :
        : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",
          "xmm28", "xmm29", "xmm30", "xmm31");
  }
};

}  // namespace linecrypt::software::vaes
