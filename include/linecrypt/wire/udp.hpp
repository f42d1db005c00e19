// UDP (RFC 768): offsets.
#pragma once

#include <cstdint>

#include "linecrypt/wire/esp.hpp"

namespace linecrypt::wire {

inline constexpr std::uint32_t udp_source_port = 0;
inline constexpr std::uint32_t udp_destination_port = 2;
inline constexpr std::uint32_t udp_length = 4;
inline constexpr std::uint32_t udp_checksum = 6;

inline constexpr std::uint32_t tcp_size = 20;  // without options
inline constexpr std::uint32_t tcp_checksum = 16;

inline constexpr std::uint8_t protocol_dccp = 33;
inline constexpr std::uint8_t protocol_sctp = 132;

// Source and destination port are the first four bytes of these (RFC 768, 9293, 9260, 4340).
[[nodiscard]] constexpr bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == protocol_tcp || protocol == protocol_udp || protocol == protocol_sctp || protocol == protocol_dccp;
}

}  // namespace linecrypt::wire
