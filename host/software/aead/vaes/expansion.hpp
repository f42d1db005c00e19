// From a key to its context: round keys (FIPS 197 5.2) and powers of H. No table is looked up, no branch depends on the
// key.
#pragma once

#include "host/software/aead/vaes/hash.hpp"
#include "host/software/aead/vaes/vector_128.hpp"

namespace linecrypt::software::vaes {

// SubWord in every column, by the instruction that assists key expansion.
[[gnu::always_inline]] inline std::uint32_t substitute(std::uint32_t word) noexcept {
  const __m128i words = _mm_set1_epi32(static_cast<int>(word));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_aeskeygenassist_si128(words, 0)));
}

[[gnu::always_inline]] inline void expand_round_keys(const std::uint8_t* key, std::size_t size,
                                                     KeyContext& context) noexcept {
  const std::size_t key_words = size / 4;
  context.rounds = static_cast<std::uint32_t>(key_words + 6);
  std::uint8_t* const words = context.round_keys + 16 * (KeyContext::most_rounds - context.rounds);
  std::memcpy(words, key, size);
  std::uint32_t constant = 1;
  for (std::size_t i = key_words; i < 4 * (std::size_t{context.rounds} + 1); ++i) {
    auto word = word_at<std::uint32_t>(words + 4 * (i - 1));
    if (i % key_words == 0) {
      word = substitute(word);
      word = (word >> 8 | word << 24) ^ constant;
      // Doubling in GF(2^8).
      constant = (constant << 1) ^ ((constant >> 7) * 0x11bU);
    } else if (key_words > 6 && i % key_words == 4) {
      word = substitute(word);
    }
    put_word<std::uint32_t>(words + 4 * i, word ^ word_at<std::uint32_t>(words + 4 * (i - key_words)));
  }
}

// H times x modulo the polynomial: what a power is kept as.
[[gnu::always_inline]] inline __m128i shifted_by_one(__m128i hash_key) noexcept {
  const __m128i carries = _mm_srli_epi64(hash_key, 63);
  const __m128i shifted = _mm_or_si128(_mm_slli_epi64(hash_key, 1), _mm_slli_si128(carries, 8));
  const __m128i overflow = _mm_shuffle_epi32(_mm_srai_epi32(hash_key, 31), 0xff);
  return _mm_xor_si128(shifted,
                       _mm_and_si128(overflow, _mm_set_epi64x(static_cast<long long>(0xc200000000000000U), 1)));
}

// 1. The round keys. 2. H = E(K, 0) and its powers. 3. The sums of halves of the powers of a stride, where the body
// multiplies with them, in the order in which it loads them.
template <class V>
[[gnu::noinline]] void expand(const std::uint8_t* key, std::size_t size, KeyContext& context) noexcept {
  // 1.
  expand_round_keys(key, size, context);
  // 2.
  const __m128i hash_key = shifted_by_one(reverse(encrypt_block(context, _mm_setzero_si128())));
  __m128i power = hash_key;
  std::uint8_t* const end = context.hash + sizeof context.hash;
  store_block(end - 16, power);
  for (std::size_t i = 2; i <= V::powers; ++i) {
    Product<Vector128> product;
    multiply_add<Vector128>(product, power, hash_key);
    power = reduce<Vector128>(product);
    store_block(end - 16 * i, power);
  }
  // 3.
  if constexpr (V::karatsuba) {
    constexpr std::size_t blocks = V::stride * V::lanes;
    static_assert(blocks * 8 + V::powers * 16 <= sizeof context.hash && V::stride % 2 == 0);
    for (std::size_t i = 0; i < blocks; ++i) {
      const __m128i of = load_block(end - 16 * (blocks - i));
      const std::size_t vector = i / V::lanes;
      const std::size_t lane = i % V::lanes;
      _mm_storel_epi64(reinterpret_cast<__m128i*>(context.hash + (vector / 2 * V::lanes + lane) * 16 + vector % 2 * 8),
                       _mm_xor_si128(of, _mm_shuffle_epi32(of, 0x4e)));
    }
  }
  _mm256_zeroall();
}

}  // namespace linecrypt::software::vaes
