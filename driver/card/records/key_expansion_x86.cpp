// Key expansion by the CPU's own instructions: what an install costs the host is this, so it bounds their rate.
#include <immintrin.h>

#include <cstring>

#include "driver/card/records/key_expansion.hpp"
#include "linecrypt/secret.hpp"

// Only these functions: whoever calls them has asked the CPU.
#define LINECRYPT_AES_TARGET [[gnu::target("aes,pclmul,ssse3")]]

namespace linecrypt::card {
namespace {

// SubWord (FIPS 197 5.2) of a word as memory has it.
LINECRYPT_AES_TARGET inline std::uint32_t substitute(std::uint32_t word) noexcept {
  const __m128i all = _mm_set1_epi32(static_cast<int>(word));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_aeskeygenassist_si128(all, 0)));
}

// FIPS 197 5.2. RotWord of a little-endian word is a rotation to the right.
LINECRYPT_AES_TARGET void expand_rounds(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept {
  constexpr std::size_t most = std::size_t{4} * abi::round_keys;
  std::uint32_t w[most] = {};
  const std::size_t words = key.size() / 4;
  const std::size_t rounds = words + 6;
  std::memcpy(w, key.data(), key.size());
  std::uint32_t constant = 1;
  for (std::size_t i = words; i < 4 * (rounds + 1); ++i) {
    std::uint32_t word = w[i - 1];
    if (i % words == 0) {
      word = substitute(word);
      word = (word >> 8U | word << 24U) ^ constant;
      constant = (constant << 1U) ^ (constant >= 0x80U ? 0x11bU : 0U);  // of the round alone, not of the key
    } else if (words > 6 && i % words == 4) {
      word = substitute(word);
    }
    w[i] = w[i - words] ^ word;
  }
  std::memcpy(entry.round_key, w, sizeof entry.round_key);
  entry.rounds = static_cast<std::uint8_t>(rounds);
  cleanse(w, sizeof w);
}

LINECRYPT_AES_TARGET inline __m128i load(const std::uint8_t* p) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// A field element of GHASH is turned around for the CPU: its bytes here, its bits by the shift in multiply().
LINECRYPT_AES_TARGET inline __m128i turned(__m128i block) noexcept {
  return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

// SP 800-38D 6.3 of turned elements.
//
// 1. The carry-less product, 256 bits.
// 2. One bit to the left: a product of turned factors is turned and one bit short.
// 3. Modulo x^128 + x^7 + x^2 + x + 1.
LINECRYPT_AES_TARGET __m128i multiply(__m128i a, __m128i b) noexcept {
  // 1.
  __m128i low = _mm_clmulepi64_si128(a, b, 0x00);
  __m128i high = _mm_clmulepi64_si128(a, b, 0x11);
  const __m128i middle = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x10), _mm_clmulepi64_si128(a, b, 0x01));
  low = _mm_xor_si128(low, _mm_slli_si128(middle, 8));
  high = _mm_xor_si128(high, _mm_srli_si128(middle, 8));
  // 2.
  const __m128i low_out = _mm_srli_epi32(low, 31);
  const __m128i high_out = _mm_srli_epi32(high, 31);
  low = _mm_or_si128(_mm_slli_epi32(low, 1), _mm_slli_si128(low_out, 4));
  high = _mm_or_si128(_mm_slli_epi32(high, 1), _mm_slli_si128(high_out, 4));
  high = _mm_or_si128(high, _mm_srli_si128(low_out, 12));
  // 3.
  const __m128i up =
      _mm_xor_si128(_mm_xor_si128(_mm_slli_epi32(low, 31), _mm_slli_epi32(low, 30)), _mm_slli_epi32(low, 25));
  low = _mm_xor_si128(low, _mm_slli_si128(up, 12));
  __m128i down = _mm_xor_si128(_mm_xor_si128(_mm_srli_epi32(low, 1), _mm_srli_epi32(low, 2)), _mm_srli_epi32(low, 7));
  down = _mm_xor_si128(down, _mm_srli_si128(up, 4));
  return _mm_xor_si128(high, _mm_xor_si128(low, down));
}

}  // namespace

bool cpu_expands_keys() noexcept {
  return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0 &&
         __builtin_cpu_supports("ssse3") != 0;
}

// 1. Round keys.
// 2. H: the block of zeros, encrypted (SP 800-38D 7.1).
// 3. H to H^5, each the one before times H; then H^8 and on, each the one four before times H^4.
LINECRYPT_AES_TARGET void expand_key_by_cpu(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept {
  // 1.
  expand_rounds(key, entry);
  // 2.
  __m128i block = load(entry.round_key[0]);
  for (std::size_t round = 1; round < entry.rounds; ++round)
    block = _mm_aesenc_si128(block, load(entry.round_key[round]));
  const __m128i h = turned(_mm_aesenclast_si128(block, load(entry.round_key[entry.rounds])));
  // 3.
  static_assert(abi::ghash_exponent(4) == 5 && abi::ghash_exponent(5) == 8 && abi::ghash_exponent(6) == 12);
  __m128i power = h;
  __m128i fourth = h;
  for (std::uint32_t i = 0; i < abi::ghash_powers; ++i) {
    if (i == 4) fourth = power;
    if (i != 0) power = i < 5 ? multiply(power, h) : multiply(i == 5 ? fourth : power, fourth);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(entry.power[i]), turned(power));
  }
}

}  // namespace linecrypt::card
