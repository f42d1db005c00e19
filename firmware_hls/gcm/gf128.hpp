// Multiplication in GF(2^128) as GHASH defines it (SP 800-38D 6.3): the polynomial's x^0 is the highest bit of byte 0.
#pragma once

#include <cstdint>

#include "firmware_hls/base/ap_uint.hpp"

namespace linecrypt {
namespace firmware {

struct Product64 {
  std::uint64_t high;
  std::uint64_t low;
};

// The 127-bit product of two polynomials over GF(2).
inline Product64 carryless_product(std::uint64_t a, std::uint64_t b) {
  LINECRYPT_INLINE
  Product64 product = {0, (b & 1U) != 0 ? a : 0};
  for (unsigned i = 1; i < 64; ++i) {
    LINECRYPT_UNROLL
    const std::uint64_t chosen = std::uint64_t{0} - ((b >> i) & 1U);
    product.high ^= (a >> (64 - i)) & chosen;
    product.low ^= (a << i) & chosen;
  }
  return product;
}

// `Multiply` gives carryless_product(); everything else is wiring.
template <class Multiply>
ap_uint<128> gf128_mul(const ap_uint<128>& x, const ap_uint<128>& y) {
  LINECRYPT_INLINE
  // 1. In network order the bits are the polynomial's, reversed.
  const std::uint64_t x1 = swap64(word_of(x, 0));
  const std::uint64_t x0 = swap64(word_of(x, 1));
  const std::uint64_t y1 = swap64(word_of(y, 0));
  const std::uint64_t y0 = swap64(word_of(y, 1));
  // 2. 256-bit product by three multiplications (Karatsuba).
  const Product64 low = Multiply::carryless_product(x0, y0);
  const Product64 high = Multiply::carryless_product(x1, y1);
  const Product64 both = Multiply::carryless_product(x0 ^ x1, y0 ^ y1);
  const std::uint64_t p0 = low.low;
  const std::uint64_t p1 = low.high ^ both.low ^ low.low ^ high.low;
  const std::uint64_t p2 = high.low ^ both.high ^ low.high ^ high.high;
  const std::uint64_t p3 = high.high;
  // 3. The product of reversed polynomials is reversed and one bit low.
  const std::uint64_t q0 = p0 << 1U;
  const std::uint64_t q1 = (p1 << 1U) | (p0 >> 63U);
  const std::uint64_t q2 = (p2 << 1U) | (p1 >> 63U);
  const std::uint64_t q3 = (p3 << 1U) | (p2 >> 63U);
  // 4. Reduction by x^128 + x^7 + x^2 + x + 1.
  const std::uint64_t d = q1 ^ (q0 << 63U) ^ (q0 << 62U) ^ (q0 << 57U);
  const std::uint64_t z1 = q3 ^ d ^ (d >> 1U) ^ (d >> 2U) ^ (d >> 7U);
  const std::uint64_t z0 = q2 ^ q0 ^ ((q0 >> 1U) | (d << 63U)) ^ ((q0 >> 2U) | (d << 62U)) ^ ((q0 >> 7U) | (d << 57U));
  ap_uint<128> z(0);
  set_word_of(z, 0, swap64(z1));
  set_word_of(z, 1, swap64(z0));
  return z;
}

}  // namespace firmware
}  // namespace linecrypt
