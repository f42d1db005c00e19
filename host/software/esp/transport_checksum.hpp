// TCP and UDP checksums after transport mode through a NAT (RFC 3948 3.1.2).
#pragma once

#include <cstdint>

#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::software::esp {

// The sender computed the checksum over addresses that a NAT has since changed. ESP has proved that the segment is as
// it was sent, so the checksum is computed again over the addresses as they are (RFC 3948 3.1.2, second way: the
// original addresses need not be known). `ip` is where `packet` lies, writable.
//
// 1. Not where the destination is not the last one: the pseudo-header needs that (RFC 8200 8.1).
// 2. TCP.
// 3. UDP over its own length; a checksum of zero means none and stays.
inline void repair_transport_checksum(const wire::IpPacket& packet, std::uint8_t* ip) noexcept {
  // 1.
  if (packet.routing_pending) return;
  std::uint8_t* segment = ip + packet.l4_offset;
  std::uint32_t length = packet.l4_length();
  std::uint32_t field = 0;
  if (packet.protocol == wire::protocol_tcp) {
    // 2.
    if (length < wire::tcp_size) return;
    field = wire::tcp_checksum;
  } else if (packet.protocol == wire::protocol_udp) {
    // 3.
    if (length < wire::udp_size) return;
    const std::uint32_t udp_length = wire::load16(segment + wire::udp_length);
    if (udp_length < wire::udp_size || udp_length > length) return;
    if (wire::load16(segment + wire::udp_checksum) == 0) return;
    length = udp_length;
    field = wire::udp_checksum;
  } else {
    return;
  }
  wire::store16(segment + field, 0);
  std::uint16_t sum = wire::checksum_with_pseudo_header(packet.source(), packet.destination(), packet.address_size(),
                                                        packet.protocol, segment, length);
  if (sum == 0 && packet.protocol == wire::protocol_udp) sum = 0xffff;
  wire::store16(segment + field, sum);
}

}  // namespace linecrypt::software::esp
