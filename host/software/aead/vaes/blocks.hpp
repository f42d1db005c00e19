// Single blocks of 16 bytes: pieces of 1 to 15 bytes without touching a byte outside them, byte order, one AES block.
//
// Everything here is always inlined: these headers are compiled for several instruction sets, and a function that the
// linker could share between them would run the wrong one.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "host/software/aead/vaes/key_context.hpp"

namespace linecrypt::software::vaes {

// Loading at 16 + n shifts a block right by n bytes, at 16 - n left.
alignas(64) inline constexpr std::uint8_t shifts[48] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};

// Loading at 32 - n gives a mask of n bytes.
alignas(64) inline constexpr std::uint8_t first_bytes[64] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                                             255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                                             255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

template <typename Word>
[[gnu::always_inline]] inline Word word_at(const std::uint8_t* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

template <typename Word>
[[gnu::always_inline]] inline void put_word(std::uint8_t* to, std::uint64_t value) noexcept {
  const auto word = static_cast<Word>(value);
  std::memcpy(to, &word, sizeof word);
}

[[gnu::always_inline]] inline __m128i load_block(const std::uint8_t* from) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

[[gnu::always_inline]] inline void store_block(std::uint8_t* to, __m128i block) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
}

// 0 to 15 bytes, zeros behind them. Two words that overlap give any size, so that only its class is a branch; half of
// a shift done twice, because a shift by 64 is not defined.
[[gnu::always_inline]] inline __m128i load_piece(const std::uint8_t* from, std::size_t size) noexcept {
  if (size >= 8) {
    const std::size_t half = 4 * (16 - size);
    return _mm_set_epi64x(static_cast<long long>(word_at<std::uint64_t>(from + size - 8) >> half >> half),
                          static_cast<long long>(word_at<std::uint64_t>(from)));
  }
  std::uint64_t low = 0;
  if (size >= 4) {
    low = word_at<std::uint32_t>(from) | std::uint64_t{word_at<std::uint32_t>(from + size - 4)} << (8 * (size - 4));
  } else if (size != 0) {
    low =
        from[0] | std::uint64_t{from[size / 2]} << (8 * (size / 2)) | std::uint64_t{from[size - 1]} << (8 * (size - 1));
  }
  return _mm_cvtsi64_si128(static_cast<long long>(low));
}

// The first 1 to 15 bytes of `block`.
[[gnu::always_inline]] inline void store_piece(std::uint8_t* to, std::size_t size, __m128i block) noexcept {
  const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(block));
  if (size >= 8) {
    const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(block, 1));
    const std::size_t half = 4 * (16 - size);
    put_word<std::uint64_t>(to, low);
    put_word<std::uint64_t>(to + size - 8, low >> (8 * (size - 8)) | high << half << half);
  } else if (size >= 4) {
    put_word<std::uint32_t>(to, low);
    put_word<std::uint32_t>(to + size - 4, low >> (8 * (size - 4)));
  } else {
    put_word<std::uint8_t>(to, low);
    put_word<std::uint8_t>(to + size / 2, low >> (8 * (size / 2)));
    put_word<std::uint8_t>(to + size - 1, low >> (8 * (size - 1)));
  }
}

// 16 to 31 bytes behind one another: what lies behind the first block, by a load that ends where they end.
[[gnu::always_inline]] inline __m128i load_second(const std::uint8_t* from, std::size_t size) noexcept {
  return _mm_shuffle_epi8(load_block(from + size - 16), load_block(shifts + 16 + 32 - size));
}

[[gnu::always_inline]] inline void store_two(std::uint8_t* to, std::size_t size, __m128i first,
                                             __m128i second) noexcept {
  store_block(to, first);
  store_block(to + size - 16, _mm_or_si128(_mm_shuffle_epi8(first, load_block(shifts + size)),
                                           _mm_shuffle_epi8(second, load_block(shifts + size - 16))));
}

// GHASH and the counter work on blocks with their bytes reversed.
[[gnu::always_inline]] inline __m128i reversal() noexcept {
  return _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

[[gnu::always_inline]] inline __m128i reverse(__m128i block) noexcept {
  return _mm_shuffle_epi8(block, reversal());
}

// Y0 of SP 800-38D 7.1 with its bytes reversed, so that the counter is the low word.
[[gnu::always_inline]] inline __m128i first_counter(const std::uint8_t* iv) noexcept {
  const auto low = static_cast<long long>(word_at<std::uint64_t>(iv));
  const std::uint64_t high = word_at<std::uint32_t>(iv + 8) | std::uint64_t{1} << 56;
  return reverse(_mm_set_epi64x(static_cast<long long>(high), low));
}

[[gnu::always_inline]] inline __m128i encrypt_block(const KeyContext& key, __m128i block) noexcept {
  const std::uint8_t* round_key = key.first_round_key();
  block = _mm_xor_si128(block, load_block(round_key));
  for (std::uint32_t round = 1; round < key.rounds; ++round)
    block = _mm_aesenc_si128(block, load_block(round_key + 16 * std::size_t{round}));
  return _mm_aesenclast_si128(block, load_block(round_key + 16 * std::size_t{key.rounds}));
}

}  // namespace linecrypt::software::vaes
