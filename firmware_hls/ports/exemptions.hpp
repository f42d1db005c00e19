// The built-in exemptions from the policy (DESIGN 5), as host/gateway/pipeline/exemptions.hpp has them: EAPOL, ARP,
// neighbour discovery, IKE. What looks like one and misses a condition is refused.
#pragma once

#include "firmware_hls/ports/policy.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

enum class Exemption : u8 {
  none,        // not this kind of frame
  granted,     // every condition holds
  refused,     // this kind of frame, and a condition fails
  unverified,  // every condition holds but a checksum, which reaches beyond what the kernel sees of the frame
  unseen       // what it is lies beyond that
};

constexpr u16 type_arp = 0x0806;
constexpr u16 type_eapol = 0x888e;
constexpr u32 arp_size = 28;  // of Ethernet and IPv4 (RFC 826)

// An IP packet as a decision sees it.
struct Ip {
  IpHeaders headers;
  Window window;  // from the IP header on
  u32 seen;       // bytes of the packet in it
  bool ipv6;
};

inline const u8* source_of(const Ip& ip) {
  return ip.window.byte + (ip.ipv6 ? 8 : 12);
}
inline const u8* destination_of(const Ip& ip) {
  return ip.window.byte + (ip.ipv6 ? 24 : 16);
}
inline u32 l4_length(const Ip& ip) {
  return ip.headers.total_length - ip.headers.l4_offset;
}

// ---- EAPOL ----

inline Exemption eapol_received(const u8* frame, const u8* own) {
  return equal_bytes(frame, own, mac_size) || is_pae_group(frame) ? Exemption::granted : Exemption::refused;
}
inline Exemption eapol_sent(const u8* frame) {
  return is_pae_group(frame) ? Exemption::granted : Exemption::refused;
}

// ---- ARP (RFC 826) ----

// Ethernet and IPv4, a request or a reply.
inline bool arp_well_formed(const u8* arp, u32 length) {
  const u16 operation = get16(arp + 6);
  return length >= arp_size && get16(arp) == 1 && get16(arp + 2) == wire::type_ipv4 && arp[4] == mac_size &&
         arp[5] == 4 && (operation == 1 || operation == 2);
}

// 1. Well-formed, and the sender is who the Ethernet header says.
// 2. It asks for or answers one of our addresses, or announces the sender's own (RFC 5227 3).
template <u32 N>
Exemption arp_received(const Policy<N>& policy, bool black, const u8* frame, const u8* arp, u32 length) {
  const bool sender = equal_bytes(arp + 8, frame + mac_size, mac_size);
  const bool announcement = equal_bytes(arp + 14, arp + 24, 4);
  const bool ours = owns(policy, black, false, arp + 24);
  return arp_well_formed(arp, length) && sender && (announcement || ours) ? Exemption::granted : Exemption::refused;
}
// Own MAC and own address as the sender; 0.0.0.0 in a probe before the address is ours (RFC 5227 2.1.1).
template <u32 N>
Exemption arp_sent(const Policy<N>& policy, bool black, const u8* own, const u8* arp, u32 length) {
  const bool sender = equal_bytes(arp + 8, own, mac_size);
  const bool address = is_unspecified(false, arp + 14) || owns(policy, black, false, arp + 14);
  return arp_well_formed(arp, length) && sender && address ? Exemption::granted : Exemption::refused;
}

// ---- neighbour discovery (RFC 4861) ----

constexpr u8 protocol_icmpv6 = 58;

// The sum over pseudo header and message; `whole`: all of the message was seen.
inline bool icmpv6_sum_good(const Ip& ip, bool& whole) {
  const u32 begin = ip.headers.l4_offset;
  const u32 end = ip.headers.total_length;
  whole = end <= ip.seen;
  u32 sum = protocol_icmpv6 + (end - begin);
  for (u32 i = 0; i < window_bytes; ++i) {
    const bool message = i >= begin && i < end;
    const bool addresses = i >= 8 && i < wire::ipv6_size;
    // Addresses and message both begin at even offsets.
    const u32 byte = ip.window.byte[i];
    if (message || addresses) sum += (i & 1U) == 0 ? byte << 8U : byte;
  }
  return fold(sum) == 0xffff;
}

// RFC 4861 6.1, 7.1, 8.1: hop limit 255, code 0, a right checksum, never a fragment (RFC 6980); RFC 4861 types 133-137.
inline Exemption neighbour_discovery(const Ip& ip) {
  const IpHeaders& h = ip.headers;
  if (!ip.ipv6 || h.protocol != protocol_icmpv6 || h.non_initial_fragment || l4_length(ip) == 0) return Exemption::none;
  if (h.l4_offset + 1 > ip.seen) return Exemption::unseen;
  const u8* icmp = ip.window.byte + h.l4_offset;
  if (icmp[0] < 133 || icmp[0] > 137) return Exemption::none;
  if (h.hop_limit != 255 || h.fragment || h.routing_pending || l4_length(ip) < 8) return Exemption::refused;
  if (h.l4_offset + 2 > ip.seen) return Exemption::unseen;
  if (icmp[1] != 0) return Exemption::refused;
  bool whole = false;
  const bool good = icmpv6_sum_good(ip, whole);
  return !whole ? Exemption::unverified : good ? Exemption::granted : Exemption::refused;
}

// Link scope: hop limit 255 proves that it comes from this link; the destination is ours or a link's group.
template <u32 N>
Exemption neighbour_discovery_received(const Policy<N>& policy, bool black, const Ip& ip) {
  const Exemption found = neighbour_discovery(ip);
  const u8* to = destination_of(ip);
  const bool link = is_link_multicast(true, to) || owns(policy, black, true, to);
  return (found == Exemption::granted || found == Exemption::unverified) && !link ? Exemption::refused : found;
}
// Link scope: to a link's group, a link-local address, or a neighbour on this port's own network.
template <u32 N>
Exemption neighbour_discovery_sent(const Policy<N>& policy, bool black, const Ip& ip) {
  const Exemption found = neighbour_discovery(ip);
  if (found != Exemption::granted && found != Exemption::unverified) return found;
  const u8* from = source_of(ip);
  const u8* to = destination_of(ip);
  const bool own = is_unspecified(true, from) || owns(policy, black, true, from);
  const bool link = is_link_multicast(true, to) || is_link_local(true, to) ||
                    (is_routable(true, to) && on_link(policy, black, true, to));
  return own && link ? found : Exemption::refused;
}

// ---- UDP: IKE (RFC 7296 2) and encapsulated ESP (RFC 3948) ----

constexpr u16 port_ike = 500;
constexpr u16 port_ike_nat = 4500;
constexpr u8 nat_keepalive = 0xff;
constexpr u32 marker_size = 4;

struct Datagram {
  bool exists;  // its ports are in this packet
  bool unseen;  // they are, and lie beyond what was seen
  bool whole;   // not a fragment, and its length is the packet's
  u16 source_port;
  u16 destination_port;
  u16 checksum;
  u32 length;       // of the payload
  u32 first;        // of the payload, 4 bytes
  bool first_seen;  // or it is shorter
  bool keepalive;
};

inline Datagram datagram(const Ip& ip) {
  Datagram d = {};
  const IpHeaders& h = ip.headers;
  if (h.protocol != wire::protocol_udp || h.non_initial_fragment || l4_length(ip) < 4) return d;
  const Window udp = shifted(ip.window, h.l4_offset);
  const u32 seen = ip.seen > h.l4_offset ? ip.seen - h.l4_offset : 0U;
  d.exists = true;
  d.unseen = seen < wire::udp_size && seen < l4_length(ip);
  d.source_port = get16(udp.byte);
  d.destination_port = get16(udp.byte + 2);
  d.whole = !h.fragment && l4_length(ip) >= wire::udp_size && get16(udp.byte + 4) == l4_length(ip);
  d.checksum = get16(udp.byte + 6);
  d.length = d.whole ? l4_length(ip) - wire::udp_size : 0U;
  d.first = get32(udp.byte + wire::udp_size);
  d.first_seen = seen >= wire::udp_size + (d.length < marker_size ? d.length : marker_size);
  d.keepalive = d.length == 1 && udp.byte[wire::udp_size] == nat_keepalive;
  return d;
}

inline bool is_ike(u16 port) {
  return port == port_ike || port == port_ike_nat;
}

// ESP and keepalives were taken out before: what arrives on 4500 here is IKE or malformed. To an address that is not
// the port's own it is traffic like any other.
template <u32 N>
Exemption ike_received(const Policy<N>& policy, const Ip& ip, const Datagram& d) {
  if (!d.exists || !owns(policy, true, ip.ipv6, destination_of(ip))) return Exemption::none;
  if (d.unseen) return Exemption::unseen;
  if (!is_ike(d.destination_port)) return Exemption::none;
  if (!d.whole || ip.headers.routing_pending) return Exemption::refused;
  if (d.destination_port == port_ike) return Exemption::granted;
  if (!d.first_seen) return Exemption::unseen;
  return d.length >= marker_size && d.first == 0 ? Exemption::granted : Exemption::refused;
}

template <u32 N>
Exemption ike_sent(const Policy<N>& policy, const Ip& ip, const Datagram& d) {
  if (!d.exists) return Exemption::none;
  if (d.unseen) return Exemption::unseen;
  if (!is_ike(d.source_port)) return Exemption::none;
  if (!owns(policy, true, ip.ipv6, source_of(ip))) return Exemption::refused;
  if (!d.whole || ip.headers.routing_pending) return Exemption::refused;
  if (d.source_port == port_ike) return Exemption::granted;
  if (!d.first_seen) return Exemption::unseen;
  return (d.length >= marker_size && d.first == 0) || d.keepalive ? Exemption::granted : Exemption::refused;
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
