// What one key needs, at most 512 bytes: the powers of H and the round keys.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linecrypt::software::vaes {

// Offset 0 holds, for bodies that multiply by Karatsuba's method, the sums of the halves of H^8..H^1 (64 bytes) and
// H^12..H^1; for the others H^16..H^1. Powers fall towards the round keys, so that what a small packet reads lies
// together: H^6..H^1 and the round keys of AES-128 are five cache lines.
struct alignas(64) KeyContext {
  static constexpr std::size_t most_rounds = 14;

  std::uint8_t hash[256];
  std::uint8_t round_keys[(most_rounds + 1) * 16];  // right-aligned: the last one is always the fifteenth
  std::uint32_t rounds;                             // 10, 12, 14
  std::uint8_t unused[12];

  [[nodiscard]] [[gnu::always_inline]] const std::uint8_t* first_round_key() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this) + offsetof(KeyContext, round_keys) + 16 * (most_rounds - rounds);
  }
  // H^power, and behind it the next lower ones. A vector at a low power reads on into the round keys: those lanes are
  // multiplied by zero.
  [[nodiscard]] [[gnu::always_inline]] const std::uint8_t* power(std::size_t power) const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this) + sizeof hash - 16 * power;
  }
};

static_assert(sizeof(KeyContext) == 512);
static_assert(offsetof(KeyContext, round_keys) == sizeof KeyContext::hash);

}  // namespace linecrypt::software::vaes
