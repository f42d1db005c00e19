// Where a received frame has ESP: as much as is needed to find its SA. The engine looks at everything again, and more
// closely.
#pragma once

#include <cstdint>

#include "linecrypt/address.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "linecrypt/wire/ipv6.hpp"
#include "linecrypt/wire/udp.hpp"

namespace linecrypt::dpdk {

struct EspHeader {
  bool found = false;
  Family family = Family::ipv4;  // of the header before it
  std::uint16_t udp_port = 0;    // destination of the UDP header around it (RFC 3948); 0: none
  std::uint16_t l2_length = 0;   // Ethernet and VLAN tags
  std::uint32_t spi = 0;
};

// Bytes that it looks at most.
inline constexpr std::uint32_t esp_header_reach = 192;

// Length of the Ethernet header with its VLAN tags, at most two; 0: it does not end within `length`.
[[nodiscard]] inline std::uint16_t l2_length_of(const std::uint8_t* frame, std::uint32_t length) noexcept {
  std::uint32_t at = wire::ethertype_offset;
  for (std::uint32_t tags = 0; at + 2 <= length; ++tags, at += wire::vlan_tag_size)
    if (tags == 2 || !wire::is_vlan(wire::load16(frame + at))) return static_cast<std::uint16_t>(at + 2);
  return 0;
}

// 1. Ethernet, up to two VLAN tags. 2. IPv4, or IPv6 with extension headers; a fragment has no ESP for us. 3. ESP, or
// UDP with ESP in it: an SPI of 0 is the marker of IKE, and one byte is a keepalive (RFC 3948 2.2, 2.3).
// `length` bytes of the frame are here.
[[nodiscard]] inline EspHeader find_esp(const std::uint8_t* frame, std::uint32_t length) noexcept {
  EspHeader found;
  // 1.
  found.l2_length = l2_length_of(frame, length);
  if (found.l2_length == 0) return found;
  const std::uint16_t type = wire::load16(frame + found.l2_length - 2);
  const std::uint8_t* const ip = frame + found.l2_length;
  const std::uint32_t here = length - found.l2_length;
  // 2.
  std::uint32_t at = 0;
  std::uint8_t protocol = 0;
  if (type == wire::ethertype_ipv4) {
    if (here < wire::ipv4_size || ip[0] >> 4U != 4) return found;
    if ((wire::load16(ip + wire::ipv4_fragment) & (wire::ipv4_offset_mask | wire::ipv4_flag_mf)) != 0) return found;
    at = (ip[0] & 0x0fU) * 4;
    if (at < wire::ipv4_size) return found;
    protocol = ip[wire::ipv4_protocol];
  } else if (type == wire::ethertype_ipv6) {
    if (here < wire::ipv6_size || ip[0] >> 4U != 6) return found;
    found.family = Family::ipv6;
    protocol = ip[wire::ipv6_next_header];
    at = wire::ipv6_size;
    while (protocol == wire::ipv6_hop_by_hop || protocol == wire::ipv6_routing ||
           protocol == wire::ipv6_destination_options) {
      if (here < at + 8) return found;
      protocol = ip[at];
      at += (ip[at + 1] + 1U) * 8;
    }
  } else {
    return found;
  }
  // 3.
  if (protocol == wire::protocol_udp) {
    if (here < at + wire::udp_size) return found;
    found.udp_port = wire::load16(ip + at + 2);
    at += wire::udp_size;
  } else if (protocol != wire::protocol_esp) {
    return found;
  }
  if (here < at + 4) return found;
  found.spi = wire::load32(ip + at);
  found.found = found.spi != 0;
  return found;
}

}  // namespace linecrypt::dpdk
