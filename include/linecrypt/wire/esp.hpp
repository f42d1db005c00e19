// ESP with AES-GCM or GMAC (RFC 4303, 4106, 4543) and its UDP encapsulation (RFC 3948): offsets and limits.
#pragma once

#include <cstdint>

namespace linecrypt::wire {

inline constexpr std::uint8_t protocol_ipip = 4;
inline constexpr std::uint8_t protocol_tcp = 6;
inline constexpr std::uint8_t protocol_udp = 17;
inline constexpr std::uint8_t protocol_ipv6 = 41;
inline constexpr std::uint8_t protocol_esp = 50;
inline constexpr std::uint8_t protocol_none = 59;  // ESP dummy packet (RFC 4303 2.6)

inline constexpr std::uint32_t esp_header_size = 8;   // SPI, sequence number
inline constexpr std::uint32_t esp_iv_size = 8;       // explicit IV (RFC 4106 3.1)
inline constexpr std::uint32_t esp_trailer_size = 2;  // pad length, next header
inline constexpr std::uint32_t esp_spi_smallest = 256;

inline constexpr std::uint16_t port_ike = 500;
inline constexpr std::uint16_t port_ike_nat = 4500;
inline constexpr std::uint32_t udp_size = 8;
inline constexpr std::uint32_t non_esp_marker_size = 4;
inline constexpr std::uint8_t nat_keepalive = 0xff;  // one byte (RFC 3948 2.3)

}  // namespace linecrypt::wire
