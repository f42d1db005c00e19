// Frames from the circuit (the black port's wire), towards the clear side: before MACsec, behind it, and behind ESP.
#pragma once

#include "firmware_hls/esp/encapsulate.hpp"
#include "firmware_hls/macsec/validate.hpp"
#include "firmware_hls/ports/clear_side.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

// Is there a SecTAG behind further VLAN tags than the configured ones (another VLAN)?
inline bool sectag_behind_tags(const Window& window, u32 at, u32 length) {
  bool further = true;
  bool found = false;
  for (u32 i = 0; i < macsec::clear_tags_most; ++i) {
    further = further && macsec::is_vlan(get16(window.byte + at)) && length >= at + 6;
    if (further) at += tag_size;
    found = found || (further && get16(window.byte + at) == wire::type_macsec);
  }
  return found;
}

// The SecY, before a key is used (IEEE 802.1AE-2018 10.6), as host/tables/secy.cpp.
//
// 1. The VLAN tags in clear are the configured ones.
// 2. No SecTAG: dropped if strict (InPktsNoTag), else it goes on (InPktsUntagged).
// 3. A tag that breaks a rule; E without C is for the KaY; PN 0 is never sent.
// 4. The block finds the SA.
inline Course secure(const abi::PortWord& port, const Window& window, u32 length) {
  abi::MacsecRecord record = {};
  record.clear_tags = port.macsec_tags;
  for (u32 i = 0; i < abi::port_tags_most; ++i) record.clear_tag[i] = port.tag[i];
  // 1.
  const VerdictCode tags = macsec::match_clear_tags(record, window, length);
  if (tags != VerdictCode::pending) return dropped(tags);
  // 2.
  const u32 at = macsec::sectag_offset(record);
  if (get16(window.byte + at) != wire::type_macsec) {
    if (sectag_behind_tags(window, at, length)) return dropped(VerdictCode::macsec_vlan_mismatch);
    return (port.flags & abi::port_flag::strict) != 0 ? dropped(VerdictCode::macsec_untagged) : goes_on();
  }
  // 3.
  const macsec::SecTag tag = macsec::sectag_at(window, at, length);
  if (tag.verdict == VerdictCode::macsec_e_without_c) return dropped(VerdictCode::macsec_kay_frame);
  if (tag.verdict != VerdictCode::pending) return dropped(tag.verdict);
  if ((port.flags & abi::port_flag::xpn) == 0 && tag.number == 0) return dropped(VerdictCode::number_zero);
  // 4.
  Course course = goes_on();
  course.validate = true;
  return course;
}

// A frame from the black port's wire, up to the SecY.
template <u32 N>
Course from_circuit(const Policy<N>& policy, const Window& window, u32 length) {
  const Course course = door(policy, true, window, length);
  const abi::PortWord& port = policy.port[abi::black_port];
  return course.keeps && (port.flags & abi::port_flag::macsec) != 0 ? secure(port, window, length) : course;
}

// From the black side to the clear port: never back to a circuit. Nobody outside is told why a packet was dropped.
template <u32 N>
Course to_site(const Policy<N>& policy, VerdictCode verdict, const Ip& ip, u32 l2) {
  const abi::PortWord& out = policy.port[abi::clear_port];
  if (!is_routable(ip.ipv6, source_of(ip)) || !is_routable(ip.ipv6, destination_of(ip)))
    return dropped(VerdictCode::no_route);
  if (on_link(policy, true, ip.ipv6, destination_of(ip))) return dropped(VerdictCode::policy_default);
  if (last_hop(ip)) return dropped(VerdictCode::ttl_exceeded);
  if (ip.headers.total_length > out.mtu) return dropped(VerdictCode::too_big);
  if (is_broadcast(policy, false, ip.ipv6, destination_of(ip))) return dropped(VerdictCode::no_neighbour);
  Course course = forwarded(verdict, out, ip, l2);
  course.controlled = false;
  return course;
}

// ESP, bare or in UDP (RFC 4303, RFC 3948). none: not ESP.
//
// 1. ESP must be whole: fragments are not put together here (RFC 4303 3.4.1).
// 2. In UDP: one byte 0xff is a NAT keepalive (RFC 3948 2.3), four zero bytes are the non-ESP marker (2.2), anything
//    else is ESP (2.1).
// 3. What the block does not do, the host may: a checksum over ciphertext, headers that reach far.
inline Course esp_input(const abi::PortWord& port, const Window& window, const Ip& ip, u32 l2, const Datagram& d) {
  const bool far = ip.headers.l4_offset > esp::headers_largest;
  Course by_spi = goes_on();
  by_spi.decapsulate = true;
  by_spi.l2 = static_cast<u16>(l2);
  // 1.
  if (ip.headers.protocol == wire::protocol_esp) {
    if (ip.headers.fragment) return dropped(VerdictCode::esp_fragment);
    if (l4_length(ip) < 8) return dropped(VerdictCode::esp_short);
    return far ? ip_to_host(VerdictCode::unsupported, window, ip, l2) : by_spi;
  }
  // 2.
  if (!d.exists) return goes_on();
  if (d.unseen) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
  bool ours = false;
  for (u32 i = 0; i < abi::udp_ports_most; ++i)
    ours = ours || (port.udp_port[i] != 0 && port.udp_port[i] == d.destination_port);
  if (!ours) return goes_on();
  if (ip.headers.fragment) return dropped(VerdictCode::esp_fragment);
  if (!d.whole) return dropped(VerdictCode::esp_bad_udp);
  if (!d.first_seen) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
  if (d.keepalive) return dropped(VerdictCode::keepalive);
  if (d.length < marker_size) return dropped(VerdictCode::esp_bad_udp);
  if (d.first == 0) return goes_on();
  if (d.length < 8) return dropped(VerdictCode::esp_short);
  // 3.
  return far || (ip.ipv6 && d.checksum != 0) ? ip_to_host(VerdictCode::unsupported, window, ip, l2) : by_spi;
}

// Too-big messages teach the host the path MTU (RFC 4301 8.2.1).
inline bool tells_path_mtu(const Ip& ip) {
  const u8* icmp = ip.window.byte + (ip.headers.l4_offset & (window_bytes - 1));
  if (ip.headers.non_initial_fragment || l4_length(ip) < 8) return false;
  return ip.ipv6 ? ip.headers.protocol == protocol_icmpv6 && icmp[0] == 2
                 : ip.headers.protocol == 1 && icmp[0] == 3 && icmp[1] == 4;
}

// 1. ESP to any of our addresses: by its SPI to the block (RFC 4301 5.2 step 1). Keepalives end here.
// 2. Neighbour discovery and IKE are exempt.
// 3. A too-big message to us is the host's, who applies the policy to it.
// 4. Nothing from outside claims to come from ourselves.
// 5. What is left is clear traffic: the inbound policy (RFC 4301 5.2 step 2).
// 6. To us: the host. To another link: the clear side.
template <u32 N>
Course ip_from_circuit(const Policy<N>& policy, const Window& window, const Ip& ip, u32 l2) {
  const Reach whom = reach(policy, true, window, ip);
  if (whom == Reach::mismatch) return dropped(VerdictCode::wrong_destination_mac);
  const Datagram d = datagram(ip);
  // 1.
  if (whom == Reach::us || whom == Reach::our_other) {
    const Course course = esp_input(policy.port[abi::black_port], window, ip, l2, d);
    if (!course.keeps || course.decapsulate) return course;
  }
  // 2.
  Exemption exemption = neighbour_discovery_received(policy, true, ip);
  if (exemption == Exemption::none) exemption = ike_received(policy, ip, d);
  if (exemption == Exemption::refused) return dropped(VerdictCode::exemption_refused);
  if (exemption == Exemption::granted) return ip_to_host(VerdictCode::exempt, window, ip, l2);
  if (exemption != Exemption::none) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
  // 3.
  if (whom == Reach::us && tells_path_mtu(ip)) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
  // 4.
  if (owned(policy, ip.ipv6, source_of(ip))) return dropped(VerdictCode::policy_default);
  // 5.
  const Match match = first_match(policy, esp::traffic_key(ip.headers, ip.window.byte, ip.seen));
  if (match.undecided) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
  if (!match.found) return dropped(VerdictCode::policy_default);
  if (match.entry.action == abi::PolicyAction::discard) return dropped(VerdictCode::policy_discard);
  if (match.entry.action == abi::PolicyAction::protect) return dropped(VerdictCode::policy_clear_inbound);
  // 6.
  if (whom == Reach::our_other) return dropped(VerdictCode::policy_default);
  if (whom == Reach::transit) return to_site(policy, VerdictCode::bypassed, ip, l2);
  if (ip.headers.routing_pending) return dropped(VerdictCode::unsupported);
  return ip_to_host(VerdictCode::punted, window, ip, l2);
}

// A frame behind the black port's SecY, or without one.
template <u32 N>
Course from_controlled_port(const Policy<N>& policy, const Window& window, u32 length) {
  Ip ip = {};
  u32 l2 = 0;
  if (!policy.open) return dropped(VerdictCode::policy_default);
  const Course course = controlled_port(policy, true, window, length, ip, l2);
  return course.keeps ? ip_from_circuit(policy, window, ip, l2) : course;
}

// What came out of an ESP SA. The block has checked tag, window, padding and the SA's selectors; the link-layer header
// is still the black port's.
//
// 1. The packet that came out.
// 2. A policy must still allow it: a discard that stands before the tunnel's own entry holds on the way in too (RFC
// 4301
//    5.2 step 4).
// 3. To us: never the black side's companion. Else the clear side.
template <u32 N>
Course decapsulated(const Policy<N>& policy, const Window& window, u32 l2, u32 length) {
  // 1.
  if (!policy.open) return dropped(VerdictCode::policy_default);
  const Ip ip = ip_at(window, l2, length);
  if (!ip.headers.valid) return dropped(VerdictCode::esp_bad_inner);
  // 2.
  const Match match = first_match(policy, esp::traffic_key(ip.headers, ip.window.byte, ip.seen));
  if (match.undecided) return dropped(VerdictCode::unsupported);
  if (!match.found) return dropped(VerdictCode::policy_default);
  if (match.entry.action == abi::PolicyAction::discard) return dropped(VerdictCode::policy_discard);
  // 3.
  if (!owned(policy, ip.ipv6, destination_of(ip))) return to_site(policy, VerdictCode::ok, ip, l2);
  if (ip.headers.routing_pending) return dropped(VerdictCode::unsupported);
  const abi::PortWord& clear = policy.port[abi::clear_port];
  return to_host(VerdictCode::punted, clear.mac, window, type_of(ip), l2, ip.headers.total_length);
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
