// IPv4 (RFC 791): offsets, limits and the few writes that keep the header checksum right.
#pragma once

#include <cstdint>

#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::wire {

inline constexpr std::uint32_t ipv4_size = 20;      // without options
inline constexpr std::uint32_t ipv4_size_max = 60;  // with options
inline constexpr std::uint32_t ipv4_total_max = 65535;
inline constexpr std::uint8_t ipv4_no_options = 0x45;  // first byte: version and header length

inline constexpr std::uint32_t ipv4_tos = 1;
inline constexpr std::uint32_t ipv4_total_length = 2;
inline constexpr std::uint32_t ipv4_identification = 4;
inline constexpr std::uint32_t ipv4_fragment = 6;  // flags and offset
inline constexpr std::uint32_t ipv4_ttl = 8;
inline constexpr std::uint32_t ipv4_protocol = 9;
inline constexpr std::uint32_t ipv4_checksum = 10;
inline constexpr std::uint32_t ipv4_source = 12;
inline constexpr std::uint32_t ipv4_destination = 16;

inline constexpr std::uint16_t ipv4_flag_df = 0x4000;
inline constexpr std::uint16_t ipv4_flag_mf = 0x2000;
inline constexpr std::uint16_t ipv4_offset_mask = 0x1fff;

// The header holds a right checksum. Nearly all are without options and cost no loop: their one's-complement sum of
// 16-bit words is right if the sum of their 32-bit words is a multiple of 65535, which is what the other is modulo. No
// header is all zero, whose sum would be a multiple too.
[[nodiscard, gnu::always_inline]] inline bool ipv4_checksum_is_right(const std::uint8_t* header,
                                                                     std::uint32_t header_length) noexcept {
  if (header_length != ipv4_size) return checksum(header, header_length) == 0;
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < ipv4_size; i += 4) {
    std::uint32_t word;
    std::memcpy(&word, header + i, sizeof word);
    sum += word;
  }
  // Division without a division: of 64-bit numbers the multiples of an odd one are those that its inverse brings low.
  constexpr std::uint64_t inverse = 0xfffefffefffeffffU;
  static_assert(inverse * 0xffffU == 1);
  return sum * inverse <= ~std::uint64_t{0} / 0xffffU;
}

// Writes the header checksum anew.
inline void ipv4_set_checksum(std::uint8_t* header, std::uint32_t header_length) noexcept {
  store16(header + ipv4_checksum, 0);
  store16(header + ipv4_checksum, checksum(header, header_length));
}

// Writes one 16-bit field at an even offset and follows with the checksum, so that a wrong one stays wrong.
inline void ipv4_rewrite16(std::uint8_t* header, std::uint32_t offset, std::uint16_t value) noexcept {
  const std::uint16_t before = load16(header + offset);
  store16(header + offset, value);
  store16(header + ipv4_checksum, checksum_update(load16(header + ipv4_checksum), before, value));
}

inline void ipv4_rewrite_tos(std::uint8_t* header, std::uint8_t tos) noexcept {
  ipv4_rewrite16(header, 0, static_cast<std::uint16_t>(header[0] << 8U | tos));
}

// Precondition: TTL is not 0.
inline void ipv4_decrement_ttl(std::uint8_t* header) noexcept {
  ipv4_rewrite16(header, ipv4_ttl, static_cast<std::uint16_t>(load16(header + ipv4_ttl) - 0x100U));
}

}  // namespace linecrypt::wire
