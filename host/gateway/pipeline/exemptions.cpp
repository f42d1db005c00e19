#include "host/gateway/pipeline/exemptions.hpp"

#include <cstring>

#include "host/gateway/pipeline/ip_scope.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::gateway {

namespace {

// ---- ARP (RFC 826): offsets ----
constexpr std::uint32_t arp_operation = 6;
constexpr std::uint32_t arp_sender_mac = 8;
constexpr std::uint32_t arp_sender_ip = 14;
constexpr std::uint32_t arp_target_ip = 24;

// Ethernet and IPv4, a request or a reply.
bool arp_well_formed(const std::uint8_t* arp, std::uint32_t length) noexcept {
  if (length < arp_size) return false;
  const std::uint16_t operation = wire::load16(arp + arp_operation);
  return wire::load16(arp) == 1 && wire::load16(arp + 2) == wire::ethertype_ipv4 && arp[4] == wire::mac_size &&
         arp[5] == 4 && (operation == 1 || operation == 2);
}

// ---- ND (RFC 4861): ICMPv6 types 133 to 137 ----
constexpr std::uint8_t protocol_icmpv6 = 58;

bool is_neighbour_discovery(const wire::IpPacket& ip) noexcept {
  if (ip.family != Family::ipv6 || ip.protocol != protocol_icmpv6 || ip.non_initial_fragment || ip.l4_length() == 0)
    return false;
  const std::uint8_t type = ip.data[ip.l4_offset];
  return type >= 133 && type <= 137;
}

// RFC 4861 6.1, 7.1, 8.1: hop limit 255, code 0, a right checksum, never a fragment (RFC 6980).
bool neighbour_discovery_valid(const wire::IpPacket& ip) noexcept {
  const std::uint8_t* icmp = ip.data + ip.l4_offset;
  return ip.hop_limit() == 255 && !ip.fragment && !ip.routing_pending && ip.l4_length() >= 8 && icmp[1] == 0 &&
         wire::checksum_with_pseudo_header(ip.source(), ip.destination(), 16, protocol_icmpv6, icmp, ip.l4_length()) ==
             0;
}

// ---- IKE (RFC 7296 2, RFC 3948 2.2 and 2.3) ----
bool has_non_esp_marker(const std::uint8_t* payload, std::uint32_t length) noexcept {
  return length >= wire::non_esp_marker_size && wire::load32(payload) == 0;
}
bool is_keepalive(const std::uint8_t* payload, std::uint32_t length) noexcept {
  return length == 1 && payload[0] == wire::nat_keepalive;
}

// A UDP datagram whose own port is one of IKE's. `own_port_offset` says which port is ours.
struct IkeDatagram {
  bool ike = false;
  std::uint16_t port = 0;
  const std::uint8_t* payload = nullptr;  // null: the datagram is broken or a fragment
  std::uint32_t length = 0;
};
IkeDatagram ike_datagram(const wire::IpPacket& ip, std::uint32_t own_port_offset) noexcept {
  if (ip.protocol != wire::protocol_udp || ip.non_initial_fragment || ip.l4_length() < 4) return {};
  const std::uint8_t* udp = ip.data + ip.l4_offset;
  IkeDatagram datagram;
  datagram.port = wire::load16(udp + own_port_offset);
  datagram.ike = datagram.port == wire::port_ike || datagram.port == wire::port_ike_nat;
  if (!datagram.ike || ip.fragment || ip.l4_length() < wire::udp_size) return datagram;
  const std::uint32_t udp_length = wire::load16(udp + wire::udp_length);
  if (udp_length < wire::udp_size || udp_length != ip.l4_length()) return datagram;
  datagram.payload = udp + wire::udp_size;
  datagram.length = udp_length - wire::udp_size;
  return datagram;
}

}  // namespace

bool is_pae_group(const std::uint8_t* mac) noexcept {
  static constexpr std::uint8_t prefix[] = {0x01, 0x80, 0xc2, 0x00, 0x00};
  if (std::memcmp(mac, prefix, sizeof prefix) != 0) return false;
  return mac[5] == 0x00 || mac[5] == 0x03 || mac[5] == 0x0e;
}

Exemption eapol_received(const std::uint8_t* frame, const MacAddress& own) noexcept {
  const bool to_us = std::memcmp(frame, own.bytes.data(), wire::mac_size) == 0;
  return to_us || is_pae_group(frame) ? Exemption::granted : Exemption::refused;
}

// An 802.1X port entity sends to its group; nothing else needs to leave unprotected.
Exemption eapol_sent(const std::uint8_t* frame) noexcept {
  return is_pae_group(frame) ? Exemption::granted : Exemption::refused;
}

// 1. Well-formed, and the sender is who the Ethernet header says.
// 2. It asks for or answers one of our addresses, or announces the sender's own (RFC 5227 3).
Exemption arp_received(const Here& here, const std::uint8_t* frame, const std::uint8_t* arp,
                       std::uint32_t length) noexcept {
  if (!arp_well_formed(arp, length)) return Exemption::refused;
  if (std::memcmp(arp + arp_sender_mac, frame + wire::mac_size, wire::mac_size) != 0) return Exemption::refused;
  const bool announcement = std::memcmp(arp + arp_sender_ip, arp + arp_target_ip, 4) == 0;
  if (!announcement && !here.fib.owns(here.port, Family::ipv4, arp + arp_target_ip)) return Exemption::refused;
  return Exemption::granted;
}

// Own MAC and own address as the sender; 0.0.0.0 in a probe before the address is ours (RFC 5227 2.1.1).
Exemption arp_sent(const Here& here, const std::uint8_t* arp, std::uint32_t length) noexcept {
  if (!arp_well_formed(arp, length)) return Exemption::refused;
  if (std::memcmp(arp + arp_sender_mac, here.mac.bytes.data(), wire::mac_size) != 0) return Exemption::refused;
  const std::uint8_t* sender = arp + arp_sender_ip;
  if (!is_unspecified(Family::ipv4, sender) && !here.fib.owns(here.port, Family::ipv4, sender))
    return Exemption::refused;
  return Exemption::granted;
}

// Link scope: hop limit 255 proves that it comes from this link; the destination is ours or a link's group.
Exemption neighbour_discovery_received(const Here& here, const wire::IpPacket& ip) noexcept {
  if (!is_neighbour_discovery(ip)) return Exemption::none;
  if (!neighbour_discovery_valid(ip)) return Exemption::refused;
  const std::uint8_t* to = ip.destination();
  if (!is_link_multicast(Family::ipv6, to) && !here.fib.owns(here.port, Family::ipv6, to)) return Exemption::refused;
  return Exemption::granted;
}

// Link scope: to a link's group, a link-local address, or a neighbour on this port's own network.
Exemption neighbour_discovery_sent(const Here& here, const wire::IpPacket& ip) noexcept {
  if (!is_neighbour_discovery(ip)) return Exemption::none;
  if (!neighbour_discovery_valid(ip)) return Exemption::refused;
  if (!is_unspecified(Family::ipv6, ip.source()) && !here.fib.owns(here.port, Family::ipv6, ip.source()))
    return Exemption::refused;
  const std::uint8_t* to = ip.destination();
  if (is_link_multicast(Family::ipv6, to) || is_link_local(Family::ipv6, to)) return Exemption::granted;
  const NextHop next = here.fib.route(Family::ipv6, to);
  return next.port == here.port && next.on_link ? Exemption::granted : Exemption::refused;
}

Exemption ike_received(const Here& here, const wire::IpPacket& ip) noexcept {
  const IkeDatagram datagram = ike_datagram(ip, wire::udp_destination_port);
  // To another address it is traffic like any other: the policy decides, and nothing here lets it through.
  if (!datagram.ike || !here.fib.owns(here.port, ip.family, ip.destination())) return Exemption::none;
  if (datagram.payload == nullptr || ip.routing_pending) return Exemption::refused;
  if (datagram.port == wire::port_ike) return Exemption::granted;
  return has_non_esp_marker(datagram.payload, datagram.length) ? Exemption::granted : Exemption::refused;
}

Exemption ike_sent(const Here& here, const wire::IpPacket& ip) noexcept {
  const IkeDatagram datagram = ike_datagram(ip, wire::udp_source_port);
  if (!datagram.ike) return Exemption::none;
  if (!here.fib.owns(here.port, ip.family, ip.source())) return Exemption::refused;
  if (datagram.payload == nullptr || ip.routing_pending) return Exemption::refused;
  if (datagram.port == wire::port_ike) return Exemption::granted;
  const bool allowed =
      has_non_esp_marker(datagram.payload, datagram.length) || is_keepalive(datagram.payload, datagram.length);
  return allowed ? Exemption::granted : Exemption::refused;
}

}  // namespace linecrypt::gateway
