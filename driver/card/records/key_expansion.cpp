#include "driver/card/records/key_expansion.hpp"

#include <array>
#include <cstring>

#include "linecrypt/secret.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::card {
namespace {

using Block = std::array<std::uint8_t, 16>;

// GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 4.2), without branches or tables that depend on the operands.
std::uint8_t times_x(std::uint8_t a) noexcept {
  return static_cast<std::uint8_t>((a << 1U) ^ (0x1bU & (0U - (a >> 7U))));
}
std::uint8_t multiply(std::uint8_t a, std::uint8_t b) noexcept {
  std::uint32_t product = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    product ^= a & (0U - ((b >> i) & 1U));
    a = times_x(a);
  }
  return static_cast<std::uint8_t>(product);
}

// FIPS 197 5.1.1: the inverse, which is the 254th power, and the affine map.
std::uint8_t substitute(std::uint8_t a) noexcept {
  std::uint8_t square = a;
  std::uint8_t inverse = 1;
  for (int i = 1; i < 8; ++i) {
    square = multiply(square, square);
    inverse = multiply(inverse, square);
  }
  std::uint32_t x = inverse;
  x ^= (x << 1U) ^ (x << 2U) ^ (x << 3U) ^ (x << 4U);
  return static_cast<std::uint8_t>((x ^ (x >> 8U)) ^ 0x63U);
}

// FIPS 197 5.2.
void expand_rounds(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept {
  const std::size_t words = key.size() / 4;
  const std::size_t rounds = words + 6;
  std::uint8_t* w = entry.round_key[0];
  std::memset(w, 0, sizeof entry.round_key);
  std::memcpy(w, key.data(), key.size());
  std::uint8_t constant = 1;
  for (std::size_t i = words; i < 4 * (rounds + 1); ++i) {
    std::array<std::uint8_t, 4> word{};
    std::memcpy(word.data(), w + 4 * (i - 1), 4);
    if (i % words == 0) {
      const std::uint8_t first = word[0];
      for (std::size_t j = 0; j < 3; ++j) word[j] = substitute(word[j + 1]);
      word[3] = substitute(first);
      word[0] ^= constant;
      constant = times_x(constant);
    } else if (words > 6 && i % words == 4) {
      for (std::uint8_t& byte : word) byte = substitute(byte);
    }
    for (std::size_t j = 0; j < 4; ++j) w[4 * i + j] = static_cast<std::uint8_t>(w[4 * (i - words) + j] ^ word[j]);
    cleanse(word.data(), word.size());
  }
  entry.rounds = static_cast<std::uint8_t>(rounds);
}

// FIPS 197 5.1: H is the block of zeros, encrypted (SP 800-38D 7.1).
void encrypt_zeros(const abi::KeyEntry& entry, Block& state) noexcept {
  const auto add = [&](std::size_t round) {
    for (std::size_t i = 0; i < 16; ++i) state[i] ^= entry.round_key[round][i];
  };
  state = {};
  add(0);
  for (std::size_t round = 1; round <= entry.rounds; ++round) {
    Block shifted;
    for (std::size_t i = 0; i < 16; ++i) shifted[i] = substitute(state[(i + 4 * (i % 4)) % 16]);
    for (std::size_t column = 0; column < 16; column += 4) {
      for (std::size_t i = 0; i < 4; ++i) {
        const std::uint8_t a = shifted[column + i];
        const std::uint8_t b = shifted[column + (i + 1) % 4];
        const std::uint8_t rest =
            static_cast<std::uint8_t>(shifted[column + (i + 2) % 4] ^ shifted[column + (i + 3) % 4]);
        state[column + i] = round == entry.rounds ? a : static_cast<std::uint8_t>(times_x(a) ^ times_x(b) ^ b ^ rest);
      }
    }
    cleanse(shifted.data(), shifted.size());
    add(round);
  }
}

// A field element of GHASH: bit 0 is the leftmost bit of byte 0 (SP 800-38D 6.3).
struct Element {
  std::uint64_t high = 0;  // bits 0 to 63, bit 0 on top
  std::uint64_t low = 0;
};

Element load(const std::uint8_t* p) noexcept {
  return {wire::load64(p), wire::load64(p + 8)};
}
void store(std::uint8_t* p, const Element& e) noexcept {
  wire::store64(p, e.high);
  wire::store64(p + 8, e.low);
}
// SP 800-38D 6.3, algorithm 1, with masks for its branches.
Element multiply(const Element& x, const Element& y) noexcept {
  Element z;
  Element v = y;
  for (int i = 0; i < 128; ++i) {
    const std::uint64_t bit = i < 64 ? x.high >> (63 - i) & 1U : x.low >> (127 - i) & 1U;
    z.high ^= v.high & (0 - bit);
    z.low ^= v.low & (0 - bit);
    const std::uint64_t carry = v.low & 1U;
    v.low = v.low >> 1U | v.high << 63U;
    v.high = v.high >> 1U ^ (0xe100000000000000U & (0 - carry));
  }
  return z;
}

}  // namespace

// 1. Round keys.
// 2. H, and each power the one before times H, of which the table holds some.
void expand_key_by_hand(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept {
  // 1.
  expand_rounds(key, entry);
  // 2.
  Block zeros;
  encrypt_zeros(entry, zeros);
  Element h = load(zeros.data());
  Element power = h;
  std::uint32_t exponent = 1;
  for (std::uint32_t i = 0; i < abi::ghash_powers; ++i) {
    for (; exponent < abi::ghash_exponent(i); ++exponent) power = multiply(power, h);
    store(entry.power[i], power);
  }
  cleanse(zeros.data(), zeros.size());
  cleanse(&h, sizeof h);
  cleanse(&power, sizeof power);
}

namespace {

// What the compiler put aside on the stack has no name that could be cleansed. Deeper than either expansion goes.
[[gnu::noinline]] void cleanse_stack_below() noexcept {
  std::uint8_t below[2048];
  cleanse(below, sizeof below);
}

}  // namespace

void expand_key(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept {
  static const bool by_cpu = cpu_expands_keys();
  by_cpu ? expand_key_by_cpu(key, entry) : expand_key_by_hand(key, entry);
  cleanse_stack_below();
}

}  // namespace linecrypt::card
