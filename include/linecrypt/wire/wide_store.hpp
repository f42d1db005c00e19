// Several fields with one store: CPUs retire one store a cycle, and what is written for a packet is mostly small
// fields.
//
// A word here is bytes as memory holds them, the first one in the lowest bits. SSE2 is part of every x86-64.
#pragma once

#include <emmintrin.h>

#include <cstdint>
#include <cstring>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::wire {

[[nodiscard]] inline std::uint32_t bytes4(const void* p) noexcept {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
[[nodiscard]] inline std::uint64_t bytes8(const void* p) noexcept {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
// What store16() and store64() write.
[[nodiscard]] inline std::uint16_t bytes_of(std::uint16_t v) noexcept {
  return __builtin_bswap16(v);
}
[[nodiscard]] inline std::uint64_t bytes_of(std::uint64_t v) noexcept {
  return __builtin_bswap64(v);
}
// Four bytes, then four more.
[[nodiscard]] inline std::uint64_t join(std::uint32_t first, std::uint32_t second) noexcept {
  return first | std::uint64_t{second} << 32U;
}

inline void put4(void* p, std::uint32_t bytes) noexcept {
  std::memcpy(p, &bytes, sizeof bytes);
}
// Eight bytes, then eight more.
inline void put16(void* p, std::uint64_t first, std::uint64_t second) noexcept {
  _mm_storeu_si128(static_cast<__m128i*>(p),
                   _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first)));
}
// Four bytes, then eight, then four zeros.
inline void put12(void* p, std::uint32_t first, std::uint64_t then) noexcept {
  const __m128i behind = _mm_slli_si128(_mm_cvtsi64_si128(static_cast<long long>(then)), 4);
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm_or_si128(behind, _mm_cvtsi32_si128(static_cast<int>(first))));
}

}  // namespace linecrypt::wire
