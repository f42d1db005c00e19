// ap_uint<N>, the vendor's or our stand-in: the include path that CMake gives decides which <ap_int.h> this is.
//
// Kernels use the common subset: construct, & | ^ ~ << >> ==, to_uint64(), and the functions below, which are right
// with both. Byte i of a value is its bits 8i+7..8i everywhere.
#pragma once

#include <ap_int.h>

#include <cstdint>

#include "firmware_hls/base/pragmas.hpp"

namespace linecrypt {
namespace firmware {

namespace detail {
// The first of each pair is taken where the type gives its words (our stand-in): one load instead of a wide shift.
template <int N>
auto word_of(const ap_uint<N>& value, int i, int) -> decltype(value.word(i)) {
  return value.word(i);
}
template <int N>
std::uint64_t word_of(const ap_uint<N>& value, int i, long) {
  return static_cast<std::uint64_t>(ap_uint<64>(value >> (64 * i)).to_uint64());
}
template <int N>
auto set_word_of(ap_uint<N>& value, int i, std::uint64_t word, int) -> decltype(value.set_word(i, word)) {
  value.set_word(i, word);
}
template <int N>
void set_word_of(ap_uint<N>& value, int i, std::uint64_t word, long) {
  const ap_uint<N> hole = ap_uint<N>(~ap_uint<64>(0)) << (64 * i);
  value = (value & ~hole) | (ap_uint<N>(ap_uint<64>(word)) << (64 * i));
}
}  // namespace detail

// Bits 64i+63..64i. `i` is a constant in every use, or of an unrolled loop.
template <int N>
std::uint64_t word_of(const ap_uint<N>& value, int i) {
  LINECRYPT_INLINE
  return detail::word_of(value, i, 0);
}
template <int N>
void set_word_of(ap_uint<N>& value, int i, std::uint64_t word) {
  LINECRYPT_INLINE
  detail::set_word_of(value, i, word, 0);
}

template <int N>
std::uint64_t to_u64(const ap_uint<N>& value) {
  LINECRYPT_INLINE
  return word_of(value, 0);
}

// W bits from bit `low` on.
template <int W, int N>
ap_uint<W> slice(const ap_uint<N>& value, unsigned low) {
  LINECRYPT_INLINE
  return ap_uint<W>(value >> low);
}

// `value` with `part` in its bits low+W-1..low.
template <int W, int N>
ap_uint<N> with_slice(const ap_uint<N>& value, unsigned low, const ap_uint<W>& part) {
  LINECRYPT_INLINE
  const ap_uint<N> hole = ap_uint<N>(ap_uint<W>(~ap_uint<W>(0))) << low;
  return (value & ~hole) | (ap_uint<N>(part) << low);
}

// Byte i; an unsigned `i` of run time costs a multiplexer of N bits.
template <int N>
std::uint8_t byte_of(const ap_uint<N>& value, unsigned i) {
  LINECRYPT_INLINE
  return static_cast<std::uint8_t>(to_u64(ap_uint<8>(value >> (8 * i))));
}

// The first `count` bytes, the others zero. count <= N / 8.
template <int N>
ap_uint<N> first_bytes(const ap_uint<N>& value, unsigned count) {
  LINECRYPT_INLINE
  ap_uint<N> result(0);
  for (unsigned i = 0; i < (N + 63) / 64; ++i) {
    LINECRYPT_UNROLL
    const unsigned here = count <= 8 * i ? 0 : count - 8 * i;
    const std::uint64_t mask = here >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * here)) - 1;
    set_word_of(result, static_cast<int>(i), word_of(value, static_cast<int>(i)) & mask);
  }
  return result;
}

// N / 8 bytes from and to memory; N is a multiple of 64.
template <int N>
ap_uint<N> from_bytes(const std::uint8_t* bytes) {
  static_assert(N % 64 == 0, "whole 64-bit words");
  ap_uint<N> value(0);
  for (int i = 0; i < N / 64; ++i) {
    LINECRYPT_UNROLL
    const std::uint8_t* at = bytes + 8 * i;
    const std::uint64_t low =
        std::uint64_t{at[0]} | std::uint64_t{at[1]} << 8U | std::uint64_t{at[2]} << 16U | std::uint64_t{at[3]} << 24U;
    const std::uint64_t high =
        std::uint64_t{at[4]} | std::uint64_t{at[5]} << 8U | std::uint64_t{at[6]} << 16U | std::uint64_t{at[7]} << 24U;
    set_word_of(value, i, low | high << 32U);
  }
  return value;
}
template <int N>
void to_bytes(const ap_uint<N>& value, std::uint8_t* bytes) {
  static_assert(N % 64 == 0, "whole 64-bit words");
  for (int i = 0; i < N / 64; ++i) {
    LINECRYPT_UNROLL
    const std::uint64_t word = word_of(value, i);
    for (unsigned j = 0; j < 8; ++j) {
      LINECRYPT_UNROLL
      bytes[8U * static_cast<unsigned>(i) + j] = static_cast<std::uint8_t>(word >> (8 * j));
    }
  }
}

// The order of bytes turned: network order to a number and back.
inline std::uint16_t swap16(std::uint16_t x) {
  return static_cast<std::uint16_t>((x >> 8U) | (x << 8U));
}
inline std::uint32_t swap32(std::uint32_t x) {
  LINECRYPT_INLINE
  return (x >> 24U) | ((x >> 8U) & 0xff00U) | ((x << 8U) & 0xff0000U) | (x << 24U);
}
inline std::uint64_t swap64(std::uint64_t x) {
  LINECRYPT_INLINE
  return (std::uint64_t{swap32(static_cast<std::uint32_t>(x))} << 32U) | swap32(static_cast<std::uint32_t>(x >> 32U));
}

}  // namespace firmware
}  // namespace linecrypt
