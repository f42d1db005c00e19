#include "driver/dpdk/common/inner_checksum.hpp"

#include <rte_mbuf_core.h>

#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::dpdk {
namespace {

// Where the transport checksum is and what it covers. 0: it has none that could be looked at.
struct Segment {
  std::uint32_t offset = 0;  // of the segment in the packet
  std::uint32_t length = 0;
  std::uint32_t field = 0;  // of the checksum in the segment
};

Segment segment_of(const wire::IpPacket& ip) noexcept {
  if (!ip.valid || ip.fragment || ip.routing_pending) return {};
  if (ip.protocol == wire::protocol_tcp && ip.l4_length() >= wire::tcp_size)
    return {ip.l4_offset, ip.l4_length(), wire::tcp_checksum};
  if (ip.protocol != wire::protocol_udp || ip.l4_length() < wire::udp_size) return {};
  const std::uint32_t length = wire::load16(ip.data + ip.l4_offset + wire::udp_length);
  if (length < wire::udp_size || length > ip.l4_length()) return {};
  return {ip.l4_offset, length, wire::udp_checksum};
}

std::uint16_t sum_of(const wire::IpPacket& ip, const Segment& segment) noexcept {
  return wire::checksum_with_pseudo_header(ip.source(), ip.destination(), ip.address_size(), ip.protocol,
                                           ip.data + segment.offset, segment.length);
}

}  // namespace

void write_ip_checksum(std::uint8_t* ip, std::uint32_t length) noexcept {
  if (length < wire::ipv4_size || ip[0] >> 4U != 4) return;
  const std::uint32_t header = (ip[0] & 0x0fU) * 4U;
  if (header < wire::ipv4_size || header > length) return;
  wire::ipv4_set_checksum(ip, header);
}

void write_l4_checksum(std::uint8_t* ip, std::uint32_t length) noexcept {
  const wire::IpPacket packet = wire::parse_ip(ip, length, wire::HeaderChecksum::ignore);
  const Segment segment = segment_of(packet);
  if (segment.length == 0) return;
  std::uint8_t* const field = ip + segment.offset + segment.field;
  wire::store16(field, 0);
  const std::uint16_t sum = sum_of(packet, segment);
  wire::store16(field, sum == 0 && packet.protocol == wire::protocol_udp ? 0xffff : sum);
}

std::uint64_t checksum_flags(const std::uint8_t* ip, std::uint32_t length, bool want_ip, bool want_l4) noexcept {
  const wire::IpPacket packet = wire::parse_ip(ip, length, wire::HeaderChecksum::ignore);
  std::uint64_t flags = 0;
  // A wrong one only comes where the devarg inner_ip_csum says `carry`.
  if (want_ip && packet.valid && packet.family == Family::ipv4)
    flags |= wire::ipv4_checksum_is_right(ip, packet.header_length) ? RTE_MBUF_F_RX_IP_CKSUM_GOOD
                                                                    : RTE_MBUF_F_RX_IP_CKSUM_BAD;
  const Segment segment = segment_of(packet);
  if (!want_l4 || segment.length == 0) return flags;
  if (packet.protocol == wire::protocol_udp && wire::load16(ip + segment.offset + wire::udp_checksum) == 0) {
    // None over IPv4; over IPv6 there must be one (RFC 8200 8.1).
    return flags | (packet.family == Family::ipv4 ? RTE_MBUF_F_RX_L4_CKSUM_NONE : RTE_MBUF_F_RX_L4_CKSUM_BAD);
  }
  return flags | (sum_of(packet, segment) == 0 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD);
}

}  // namespace linecrypt::dpdk
