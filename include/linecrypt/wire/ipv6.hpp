// IPv6 (RFC 8200): offsets, limits, extension headers.
#pragma once

#include <cstdint>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::wire {

inline constexpr std::uint32_t ipv6_size = 40;
inline constexpr std::uint32_t ipv6_payload_max = 65535;

inline constexpr std::uint32_t ipv6_payload_length = 4;
inline constexpr std::uint32_t ipv6_next_header = 6;
inline constexpr std::uint32_t ipv6_hop_limit = 7;
inline constexpr std::uint32_t ipv6_source = 8;
inline constexpr std::uint32_t ipv6_destination = 24;

inline constexpr std::uint32_t ipv6_flow_label_mask = 0x000fffff;
inline constexpr std::uint32_t ipv6_flow_label_max = 0x000fffff;

// Extension headers that are skipped on the way to the next-layer protocol (RFC 4301 4.4.1.1). AH and ESP are not: what
// follows them is theirs. Nor is the Mobility Header: it is a next-layer protocol of its own.
inline constexpr std::uint8_t ipv6_hop_by_hop = 0;
inline constexpr std::uint8_t ipv6_routing = 43;
inline constexpr std::uint8_t ipv6_fragment_header = 44;
inline constexpr std::uint8_t ipv6_destination_options = 60;

inline constexpr std::uint32_t ipv6_fragment_size = 8;
inline constexpr std::uint16_t ipv6_fragment_more = 0x0001;
inline constexpr std::uint16_t ipv6_fragment_offset_mask = 0xfff8;
// More extension headers than any sender has use for; a bound on the walk.
inline constexpr std::uint32_t ipv6_extensions_max = 16;

[[nodiscard]] inline std::uint8_t ipv6_traffic_class(const std::uint8_t* header) noexcept {
  return static_cast<std::uint8_t>(load16(header) >> 4U);
}
inline void ipv6_set_traffic_class(std::uint8_t* header, std::uint8_t traffic_class) noexcept {
  store16(header,
          static_cast<std::uint16_t>((load16(header) & 0xf00fU) | static_cast<std::uint32_t>(traffic_class) << 4U));
}
[[nodiscard]] inline std::uint32_t ipv6_flow_label(const std::uint8_t* header) noexcept {
  return load32(header) & ipv6_flow_label_mask;
}

}  // namespace linecrypt::wire
