// From the kernel. The companion TAP is a host on its port's link, nothing more: it sends frames of its own and never
// forwards. A kernel with ip_forward=1 stops here, because what it forwards has a source that is not the port's own.
//
// Its frames are untagged: the port's VLAN tags are put on here and taken off on the way in.
#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// 1. A whole Ethernet header with the port's own MAC as its source.
// 2. EAPOL leaves by the uncontrolled port: no tag, no MACsec (IEEE 802.1X-2020 6.4).
// 3. ARP is exempt from the policy, not from MACsec.
// 4. IP.
void Worker::receive_companion(Frame& frame) noexcept {
  WorkerPort& port = in_port(frame);
  const std::uint8_t* data = frame.packet.data;
  // 1.
  if (frame.packet.next != nullptr) return end(frame, Verdict::unsupported);
  if (frame.packet.length < wire::ethernet_size) return end(frame, Verdict::malformed_ethernet);
  if (mac_at(data + wire::mac_size) != port.settings.mac) return end(frame, Verdict::foreign_source);
  frame.l2_length = wire::ethernet_size;
  frame.out_port = frame.in_port;
  const std::uint16_t ethertype = wire::load16(data + wire::ethertype_offset);
  switch (ethertype) {
    case wire::ethertype_eapol:
      // 2.
      if (eapol_sent(data) != Exemption::granted) return end(frame, Verdict::exemption_refused);
      if (port.settings.secy != nullptr) port.settings.secy->count_transmitted(Verdict::exempt, frame.packet.length);
      frame.verdict = Verdict::exempt;
      return transmit(frame);
    case wire::ethertype_arp: {
      // 3.
      const std::uint32_t length = frame.packet.length - wire::ethernet_size;
      if (arp_sent(here(port), data + wire::ethernet_size, length) != Exemption::granted)
        return end(frame, Verdict::exemption_refused);
      frame.packet.set_length(wire::ethernet_size + arp_size);
      return send_as_addressed(frame, ethertype, Verdict::exempt);
    }
    case wire::ethertype_ipv4:
    case wire::ethertype_ipv6:
      // 4.
      return companion_ip(frame, ethertype);
    default:
      return end(frame, Verdict::unknown_ethertype);
  }
}

// 1. Neighbour discovery.
// 2. The source is the port's own. Unspecified is a host that has no address yet (DHCP): nothing forwards such a packet
//    (RFC 1812 4.2.2.11, RFC 4291 2.5.2), and a policy must let it pass below.
// 3. Clear side: on the site's own wire, unless a policy discards it.
// 4. Black side: IKE is exempt, the SPD decides on the rest.
void Worker::companion_ip(Frame& frame, std::uint16_t ethertype) noexcept {
  const WorkerPort& port = in_port(frame);
  wire::IpPacket ip;
  if (!take_ip(frame, ethertype, ip)) return;
  // 1.
  const Exemption discovery = neighbour_discovery_sent(here(port), ip);
  if (discovery == Exemption::refused) return end(frame, Verdict::exemption_refused);
  if (discovery == Exemption::granted) return send_as_addressed(frame, ethertype, Verdict::exempt);
  // 2.
  if (!is_unspecified(ip.family, ip.source()) && !fib_->owns(port.index, ip.family, ip.source()))
    return end(frame, Verdict::foreign_source);
  // 3.
  if (port.clear()) {
    if (discarded_by_policy(ip, wire::LocalSide::source)) return end(frame, Verdict::policy_discard);
    return send_as_addressed(frame, ethertype, Verdict::ok);
  }
  // 4.
  const Exemption ike = ike_sent(here(port), ip);
  if (ike == Exemption::refused) return end(frame, Verdict::exemption_refused);
  if (ike == Exemption::granted) return send_as_addressed(frame, ethertype, Verdict::exempt);
  policy_outbound(frame, ip, spd_.outbound(wire::traffic_key(ip, wire::LocalSide::source)));
}

void Worker::send_as_addressed(Frame& frame, std::uint16_t ethertype, Verdict verdict) noexcept {
  const WorkerPort& port = out_port(frame);
  if (!exchange_l2(frame.packet, frame.l2_length, mac_at(frame.packet.data), port.settings.mac, port.settings.vlan,
                   ethertype))
    return end(frame, Verdict::no_buffer);
  frame.l2_length = port.l2_length;
  send(frame, verdict);
}

}  // namespace linecrypt::gateway
