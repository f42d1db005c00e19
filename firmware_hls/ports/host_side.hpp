// Frames that the host injects: those of a port's companion, which is a host on the port's link and nothing more. It
// sends frames of its own and never forwards; its frames are untagged (host/gateway/pipeline/companion.cpp).
#pragma once

#include "firmware_hls/ports/clear_side.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

// 1. Neighbour discovery.
// 2. The source is the port's own, or unspecified: a host that has no address yet.
// 3. Clear side: on the site's own wire, unless a policy discards it.
// 4. Black side: IKE is exempt, the policy decides on the rest.
template <u32 N>
Course ip_from_host(const Policy<N>& policy, bool black, const Window& window, const Ip& ip) {
  const abi::PortWord& port = policy.port[black ? abi::black_port : abi::clear_port];
  const u32 bytes = ip.headers.total_length;
  // 1.
  const Exemption discovery = neighbour_discovery_sent(policy, black, ip);
  if (discovery == Exemption::refused) return dropped(VerdictCode::exemption_refused);
  if (discovery == Exemption::unseen) return dropped(VerdictCode::unsupported);
  // A checksum beyond what is seen is the receiver's to refuse: every other condition holds.
  if (discovery != Exemption::none) return as_addressed(VerdictCode::exempt, port, window.byte, type_of(ip), bytes);
  // 2.
  if (!is_unspecified(ip.ipv6, source_of(ip)) && !owns(policy, black, ip.ipv6, source_of(ip)))
    return dropped(VerdictCode::foreign_source);
  // 3.
  if (!black) {
    const Match match = first_match(policy, turned(esp::traffic_key(ip.headers, ip.window.byte, ip.seen)));
    if (match.undecided) return dropped(VerdictCode::unsupported);
    if (match.found && match.entry.action == abi::PolicyAction::discard) return dropped(VerdictCode::policy_discard);
    return as_addressed(VerdictCode::ok, port, window.byte, type_of(ip), bytes);
  }
  // 4.
  const Exemption ike = ike_sent(policy, ip, datagram(ip));
  if (ike == Exemption::refused) return dropped(VerdictCode::exemption_refused);
  if (ike == Exemption::unseen) return dropped(VerdictCode::unsupported);
  if (ike == Exemption::granted) return as_addressed(VerdictCode::exempt, port, window.byte, type_of(ip), bytes);
  return outbound(policy, window, ip, ethernet_size, true);
}

// A frame of the host's that is to leave by the black or the clear port.
//
// 1. A policy is in force; a whole Ethernet header with the port's own MAC as its source.
// 2. EAPOL leaves by the uncontrolled port: no tag, no MACsec (IEEE 802.1X-2020 6.4).
// 3. ARP is exempt from the policy, not from MACsec.
// 4. IP.
template <u32 N>
Course from_host(const Policy<N>& policy, bool black, const Window& window, u32 length) {
  const abi::PortWord& port = policy.port[black ? abi::black_port : abi::clear_port];
  // 1.
  if (!policy.open) return dropped(VerdictCode::policy_default);
  if (length < ethernet_size) return dropped(VerdictCode::malformed_ethernet);
  if (!equal_bytes(window.byte + mac_size, port.mac, mac_size)) return dropped(VerdictCode::foreign_source);
  const u16 type = get16(window.byte + 2 * mac_size);
  // 2.
  if (type == type_eapol) {
    if (eapol_sent(window.byte) != Exemption::granted) return dropped(VerdictCode::exemption_refused);
    if (length > longest_frame(port)) return dropped(VerdictCode::oversize);
    Course course = {};
    course.verdict = VerdictCode::exempt;
    course.to = Destination::wire;
    course.cut.keep = static_cast<u16>(length);
    course.l2 = ethernet_size;
    return course;
  }
  // 3.
  if (type == type_arp) {
    const Window arp = shifted(window, ethernet_size);
    if (arp_sent(policy, black, port.mac, arp.byte, length - ethernet_size) != Exemption::granted)
      return dropped(VerdictCode::exemption_refused);
    return as_addressed(VerdictCode::exempt, port, window.byte, type_arp, arp_size);
  }
  // 4.
  if (type != wire::type_ipv4 && type != wire::type_ipv6) return dropped(VerdictCode::unknown_ethertype);
  const Ip ip = ip_at(window, ethernet_size, length);
  const VerdictCode verdict = check_ip(ip, type, port.mtu);
  if (verdict != VerdictCode::pending) return dropped(verdict);
  if (ip.headers.unsupported) return dropped(VerdictCode::unsupported);
  return ip_from_host(policy, black, window, ip);
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
