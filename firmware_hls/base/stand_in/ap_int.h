// ap_uint<N> on 64-bit words, for hosts without the vendor's ap_int.h: the subset that kernels use, with the same
// results. It is on the include path as <ap_int.h> where LINECRYPT_AP_INT_DIR names no folder.
//
// Differences from the vendor's: operands of & | ^ == have one width (convert first), and a default object is zero,
// where the vendor's is undefined.
#pragma once

#include <cstdint>

template <int N>
class ap_uint {
 public:
  static constexpr int width = N;
  static constexpr int words = (N + 63) / 64;

  constexpr ap_uint() : word_{} {}
  // As the vendor's: a value of fewer bits is extended with zeros, one of more loses its high bits.
  constexpr ap_uint(std::uint64_t value) : word_{value & (words == 1 ? top_mask : ~std::uint64_t{0})} {}    // NOLINT
  constexpr ap_uint(int value) : ap_uint(static_cast<std::uint64_t>(static_cast<std::uint32_t>(value))) {}  // NOLINT
  constexpr ap_uint(unsigned value) : ap_uint(static_cast<std::uint64_t>(value)) {}                         // NOLINT
  template <int M>
  constexpr ap_uint(const ap_uint<M>& other) : word_{} {  // NOLINT: implicit, as the vendor's
    for (int i = 0; i < words && i < ap_uint<M>::words; ++i) word_[i] = other.word(i);
    word_[words - 1] &= top_mask;
  }

  constexpr std::uint64_t to_uint64() const { return word_[0]; }
  constexpr explicit operator bool() const {
    for (int i = 0; i < words; ++i) {
      if (word_[i] != 0) return true;
    }
    return false;
  }

  // Not the vendor's: bits 64i+63..64i. Use word_of() and set_word_of() of firmware_hls/base/ap_uint.hpp.
  constexpr std::uint64_t word(int i) const { return word_[i]; }
  constexpr void set_word(int i, std::uint64_t value) { word_[i] = i == words - 1 ? value & top_mask : value; }

  constexpr ap_uint& operator&=(const ap_uint& other) {
    for (int i = 0; i < words; ++i) word_[i] &= other.word_[i];
    return *this;
  }
  constexpr ap_uint& operator|=(const ap_uint& other) {
    for (int i = 0; i < words; ++i) word_[i] |= other.word_[i];
    return *this;
  }
  constexpr ap_uint& operator^=(const ap_uint& other) {
    for (int i = 0; i < words; ++i) word_[i] ^= other.word_[i];
    return *this;
  }
  constexpr ap_uint operator~() const {
    ap_uint result;
    for (int i = 0; i < words; ++i) result.word_[i] = ~word_[i];
    result.word_[words - 1] &= top_mask;
    return result;
  }
  // Bits shifted out are lost; a shift by the width or more gives zero.
  constexpr ap_uint operator<<(unsigned by) const {
    ap_uint result;
    const int whole = static_cast<int>(by / 64U);
    const unsigned rest = by % 64U;
    for (int i = words - 1; i >= whole; --i) {
      result.word_[i] = word_[i - whole] << rest;
      if (rest != 0 && i > whole) result.word_[i] |= word_[i - whole - 1] >> (64U - rest);
    }
    result.word_[words - 1] &= top_mask;
    return result;
  }
  constexpr ap_uint operator>>(unsigned by) const {
    ap_uint result;
    const int whole = static_cast<int>(by / 64U);
    const unsigned rest = by % 64U;
    for (int i = 0; i + whole < words; ++i) {
      result.word_[i] = word_[i + whole] >> rest;
      if (rest != 0 && i + whole + 1 < words) result.word_[i] |= word_[i + whole + 1] << (64U - rest);
    }
    return result;
  }
  constexpr ap_uint operator<<(int by) const { return *this << static_cast<unsigned>(by); }
  constexpr ap_uint operator>>(int by) const { return *this >> static_cast<unsigned>(by); }

  friend constexpr ap_uint operator&(ap_uint a, const ap_uint& b) { return a &= b; }
  friend constexpr ap_uint operator|(ap_uint a, const ap_uint& b) { return a |= b; }
  friend constexpr ap_uint operator^(ap_uint a, const ap_uint& b) { return a ^= b; }
  friend constexpr bool operator==(const ap_uint& a, const ap_uint& b) {
    std::uint64_t difference = 0;
    for (int i = 0; i < words; ++i) difference |= a.word_[i] ^ b.word_[i];
    return difference == 0;
  }
  friend constexpr bool operator!=(const ap_uint& a, const ap_uint& b) { return !(a == b); }

 private:
  static constexpr std::uint64_t top_mask = N % 64 == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << (N % 64)) - 1;

  std::uint64_t word_[words];
};
