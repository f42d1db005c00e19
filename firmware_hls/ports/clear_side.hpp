// Frames from the site (the clear port's wire), towards the black side.
#pragma once

#include "firmware_hls/ports/course.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

// What the policy says of a packet that crosses the boundary from clear to black (RFC 4301 5.1).
//
// 1. What the kernel cannot see is the host's to decide.
// 2. No entry: discard. Policy outlives SA: an entry without one drops (DESIGN 3.1).
// 3. A packet that we forward has a hop left; the host tells the site where it has not, or where it does not fit.
// 4. A packet for the clear port's own network does not leave by the other port; a directed broadcast not at all
//    (RFC 2644).
template <u32 N>
Course outbound(const Policy<N>& policy, const Window& window, const Ip& ip, u32 l2, bool from_host) {
  const abi::PortWord& out = policy.port[abi::black_port];
  const Match match = first_match(policy, turned(esp::traffic_key(ip.headers, ip.window.byte, ip.seen)));
  // 1.
  if (match.undecided)
    return from_host ? dropped(VerdictCode::unsupported) : ip_to_host(VerdictCode::unsupported, window, ip, l2);
  // 2.
  if (!match.found) return dropped(VerdictCode::policy_default);
  if (match.entry.action == abi::PolicyAction::discard) return dropped(VerdictCode::policy_discard);
  const bool protect = match.entry.action == abi::PolicyAction::protect;
  if (protect && match.entry.sa.generation == 0) return dropped(VerdictCode::no_sa);
  const u32 largest = protect && match.entry.largest != 0 ? static_cast<u32>(match.entry.largest) : out.mtu;
  if (from_host) {
    if (ip.headers.total_length > largest) return dropped(VerdictCode::too_big);
  } else {
    // 3.
    if (last_hop(ip)) return ip_to_host(VerdictCode::ttl_exceeded, window, ip, l2);
    // 4.
    if (!protect && on_link(policy, false, ip.ipv6, destination_of(ip))) return dropped(VerdictCode::no_route);
    if (ip.headers.total_length > largest) return ip_to_host(VerdictCode::too_big, window, ip, l2);
    if (!protect && is_broadcast(policy, true, ip.ipv6, destination_of(ip))) return dropped(VerdictCode::no_neighbour);
  }
  Course course = {};
  if (!from_host) {
    course = forwarded(protect ? VerdictCode::ok : VerdictCode::bypassed, out, ip, l2);
  } else if (protect) {
    course = as_addressed(VerdictCode::ok, out, out.next_hop, type_of(ip), ip.headers.total_length);
  } else {
    course = as_addressed(VerdictCode::bypassed, out, window.byte, type_of(ip), ip.headers.total_length);
  }
  if (course.to == Destination::wire && protect) {
    course.encapsulate = true;
    course.sa = match.entry.sa;
  }
  return course;
}

// 1. To a group or to us: the host's, unless a policy discards it. A source route that would go on is not for us.
// 2. Nothing else is for the host: not the other port's addresses, nothing that claims to come from ourselves.
// 3. What may not leave its link is not forwarded.
template <u32 N>
Course ip_from_site(const Policy<N>& policy, const Window& window, const Ip& ip, u32 l2) {
  const Reach whom = reach(policy, false, window, ip);
  if (whom == Reach::mismatch) return dropped(VerdictCode::wrong_destination_mac);
  const Exemption discovery = neighbour_discovery_received(policy, false, ip);
  if (discovery == Exemption::refused) return dropped(VerdictCode::exemption_refused);
  if (discovery == Exemption::granted) return ip_to_host(VerdictCode::exempt, window, ip, l2);
  if (discovery != Exemption::none) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
  // 1.
  if (whom == Reach::us || whom == Reach::many) {
    if (ip.headers.routing_pending) return dropped(VerdictCode::unsupported);
    const Match match = first_match(policy, esp::traffic_key(ip.headers, ip.window.byte, ip.seen));
    if (match.undecided) return ip_to_host(VerdictCode::unsupported, window, ip, l2);
    if (match.found && match.entry.action == abi::PolicyAction::discard) return dropped(VerdictCode::policy_discard);
    return ip_to_host(VerdictCode::punted, window, ip, l2);
  }
  // 2.
  if (whom == Reach::our_other || owned(policy, ip.ipv6, source_of(ip))) return dropped(VerdictCode::policy_default);
  // 3.
  if (!is_routable(ip.ipv6, source_of(ip)) || !is_routable(ip.ipv6, destination_of(ip)))
    return dropped(VerdictCode::no_route);
  return outbound(policy, window, ip, l2, false);
}

// The longest frame of a port: EAPOL is no longer, and IP is held to the MTU.
inline u32 longest_frame(const abi::PortWord& port) {
  return l2_of(port) + port.mtu + ((port.flags & abi::port_flag::macsec) != 0 ? 32U : 0U);
}

// The door of either port.
//
// 1. A policy is in force; a whole Ethernet header; addressed to this port or to a group; a source is never a group.
// 2. EAPOL, untagged, belongs to the uncontrolled port (IEEE 802.1X-2020 6.4).
// pending: go on.
template <u32 N>
Course door(const Policy<N>& policy, bool black, const Window& window, u32 length) {
  const abi::PortWord& port = policy.port[black ? abi::black_port : abi::clear_port];
  // 1.
  if (!policy.open) return dropped(VerdictCode::policy_default);
  if (length < ethernet_size) return dropped(VerdictCode::malformed_ethernet);
  if (!addressed_to(port, window)) return dropped(VerdictCode::wrong_destination_mac);
  if (is_group(window.byte + mac_size)) return dropped(VerdictCode::malformed_ethernet);
  // 2.
  if (get16(window.byte + 2 * mac_size) == type_eapol) {
    if (eapol_received(window.byte, port.mac) != Exemption::granted) return dropped(VerdictCode::exemption_refused);
    if (length > longest_frame(port)) return dropped(VerdictCode::oversize);
    return to_host(VerdictCode::exempt, window.byte, window, type_eapol, ethernet_size, length - ethernet_size);
  }
  return goes_on();
}

// Behind the port's SecY, if it has one: tags, then by EtherType. `ip` is set where the course is pending.
//
// EAPOL that comes here was tagged or protected: nobody's.
template <u32 N>
Course controlled_port(const Policy<N>& policy, bool black, const Window& window, u32 length, Ip& ip, u32& l2_length) {
  const abi::PortWord& port = policy.port[black ? abi::black_port : abi::clear_port];
  if (length < ethernet_size) return dropped(VerdictCode::malformed_ethernet);
  const L2 l2 = parse_l2(port, window, length);
  if (l2.verdict != VerdictCode::pending) return dropped(l2.verdict);
  l2_length = l2.length;
  if (l2.type == type_arp) {
    const Window arp = shifted(window, l2.length);
    if (arp_received(policy, black, window.byte, arp.byte, length - l2.length) != Exemption::granted)
      return dropped(VerdictCode::exemption_refused);
    return to_host(VerdictCode::exempt, window.byte, window, type_arp, l2.length, arp_size);
  }
  if (l2.type == type_eapol) return dropped(VerdictCode::exemption_refused);
  if (l2.type != wire::type_ipv4 && l2.type != wire::type_ipv6) return dropped(VerdictCode::unknown_ethertype);
  ip = ip_at(window, l2.length, length);
  const VerdictCode verdict = check_ip(ip, l2.type, port.mtu);
  if (verdict != VerdictCode::pending) return dropped(verdict);
  if (ip.headers.unsupported) return ip_to_host(VerdictCode::unsupported, window, ip, l2.length);
  return goes_on();
}

// A frame from the clear port's wire.
template <u32 N>
Course from_site(const Policy<N>& policy, const Window& window, u32 length) {
  Course course = door(policy, false, window, length);
  if (!course.keeps) return course;
  Ip ip = {};
  u32 l2 = 0;
  course = controlled_port(policy, false, window, length, ip, l2);
  return course.keeps ? ip_from_site(policy, window, ip, l2) : course;
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
