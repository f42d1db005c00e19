// GHASH (SP 800-38D 6.4) with aggregated reduction: several blocks are multiplied by falling powers of H and their sum
// is reduced once. Powers are kept shifted by one bit, which spares a shift of each product.
#pragma once

#include "host/software/aead/vaes/blocks.hpp"

namespace linecrypt::software::vaes {

// A product of 255 bits a lane, in three parts that overlap: times 1, x^64, x^128.
template <class V>
struct Product {
  typename V::Type low = V::zero();
  typename V::Type middle = V::zero();
  typename V::Type high = V::zero();
};

// product += x * powers.
template <class V>
[[gnu::always_inline]] inline void multiply_add(Product<V>& product, typename V::Type x,
                                                typename V::Type powers) noexcept {
  product.low = V::sum(product.low, V::template multiply<0x00>(x, powers));
  product.high = V::sum(product.high, V::template multiply<0x11>(x, powers));
  if constexpr (V::karatsuba) {
    const auto x_halves = V::sum(x, V::halves_swapped(x));
    const auto power_halves = V::sum(powers, V::halves_swapped(powers));
    product.middle = V::sum(product.middle, V::template multiply<0x00>(x_halves, power_halves));
  } else {
    product.middle = V::sum(product.middle, V::template multiply<0x01>(x, powers));
    product.middle = V::sum(product.middle, V::template multiply<0x10>(x, powers));
  }
}

// The same for vector `index` of a whole stride, whose powers have their sums of halves ready.
template <class V>
[[gnu::always_inline]] inline void multiply_add_in_stride(Product<V>& product, typename V::Type x,
                                                          const KeyContext& key, std::size_t index) noexcept {
  const auto powers = V::load(key.power((V::stride - index) * V::lanes));
  if constexpr (V::karatsuba) {
    product.low = V::sum(product.low, V::template multiply<0x00>(x, powers));
    product.high = V::sum(product.high, V::template multiply<0x11>(x, powers));
    const auto x_halves = V::sum(x, V::halves_swapped(x));
    const auto halves = V::load(key.hash + index / 2 * sizeof(typename V::Type));
    if (index % 2 == 0)
      product.middle = V::sum(product.middle, V::template multiply<0x00>(x_halves, halves));
    else
      product.middle = V::sum(product.middle, V::template multiply<0x10>(x_halves, halves));
  } else {
    multiply_add<V>(product, x, powers);
  }
}

// Modulo x^128 + x^127 + x^126 + x^121 + 1, then the sum over the lanes: two foldings of the lowest 64 bits.
template <class V>
[[gnu::always_inline]] inline __m128i reduce(const Product<V>& product) noexcept {
  alignas(16) static constexpr std::uint64_t polynomial[2] = {0xc200000000000000U, 0xc200000000000000U};
  const auto poly = V::everywhere(reinterpret_cast<const std::uint8_t*>(polynomial));
  auto middle = product.middle;
  if constexpr (V::karatsuba) middle = V::sum(middle, V::sum(product.low, product.high));
  middle = V::sum(middle, V::sum(V::halves_swapped(product.low), V::template multiply<0x10>(product.low, poly)));
  const auto high = V::sum(product.high, V::sum(V::halves_swapped(middle), V::template multiply<0x10>(middle, poly)));
  return V::fold(high);
}

// Absorbs one stride at `from`.
template <class V>
[[gnu::always_inline]] inline __m128i hash_stride(const KeyContext& key, __m128i hash,
                                                  const std::uint8_t* from) noexcept {
  Product<V> product;
#pragma GCC unroll 16
  for (std::size_t i = 0; i < V::stride; ++i) {
    auto x = V::reversed(V::load(from + i * sizeof(typename V::Type)));
    if (i == 0) x = V::sum(x, V::lowest(hash));
    multiply_add_in_stride<V>(product, x, key, i);
  }
  return reduce<V>(product);
}

// The same as a part of a sum in which one block more follows. Only where there is a power for that.
template <class V>
[[gnu::always_inline]] inline void add_stride_before_a_block(Product<V>& product, const KeyContext& key, __m128i hash,
                                                             const std::uint8_t* from) noexcept {
#pragma GCC unroll 16
  for (std::size_t i = 0; i < V::stride; ++i) {
    auto x = V::reversed(V::load(from + i * sizeof(typename V::Type)));
    if (i == 0) x = V::sum(x, V::lowest(hash));
    multiply_add<V>(product, x, V::load(key.power((V::stride - i) * V::lanes + 1)));
  }
}

// The block of lengths in bits, its bytes reversed (SP 800-38D 7.1 step 5).
[[gnu::always_inline]] inline __m128i lengths_block(const std::uint64_t aad, const std::uint64_t text) noexcept {
  const std::uint64_t aad_bits = aad * 8;
  const std::uint64_t text_bits = text * 8;
  return _mm_set_epi64x(static_cast<long long>(aad_bits), static_cast<long long>(text_bits));
}

// Any number of bytes, padded with zeros to whole blocks.
template <class V>
[[gnu::always_inline]] inline __m128i hash_bytes(const KeyContext& key, __m128i hash, const std::uint8_t* from,
                                                 std::size_t size) noexcept {
  constexpr std::size_t width = sizeof(typename V::Type);
  for (; size >= V::stride * width; size -= V::stride * width, from += V::stride * width)
    hash = hash_stride<V>(key, hash, from);
  if (size == 0) return hash;
  Product<V> product;
  auto carried = V::lowest(hash);
  std::size_t power = (size + 15) / 16;
  for (; size >= width; size -= width, from += width, power -= V::lanes) {
    multiply_add<V>(product, V::sum(V::reversed(V::load(from)), carried), V::load(key.power(power)));
    carried = V::zero();
  }
  if (size != 0)
    multiply_add<V>(product, V::sum(V::reversed(V::load_some(from, size)), carried), V::load(key.power(power)));
  return reduce<V>(product);
}

// The associated data in its two pieces. What is gathered is a whole number of blocks where more follows, since the
// head is at most 64 bytes.
template <class V>
[[gnu::always_inline]] inline __m128i hash_associated(const KeyContext& key, const std::uint8_t* head,
                                                      std::size_t head_size, const std::uint8_t* tail,
                                                      std::size_t tail_size) noexcept {
  const __m128i hash = _mm_setzero_si128();
  if (tail_size == 0) return hash_bytes<V>(key, hash, head, head_size);
  if (head_size == 0) return hash_bytes<V>(key, hash, tail, tail_size);
  constexpr std::size_t room = 128;
  std::uint8_t gathered[room];
  const std::size_t moved = tail_size < room - head_size ? tail_size : room - head_size;
  std::memcpy(gathered, head, head_size);
  std::memcpy(gathered + head_size, tail, moved);
  const __m128i begun = hash_bytes<V>(key, hash, gathered, head_size + moved);
  return hash_bytes<V>(key, begun, tail + moved, tail_size - moved);
}

}  // namespace linecrypt::software::vaes
