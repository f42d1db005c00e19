// From a door to the IP layer: Ethernet, MACsec classification, VLAN tags, ARP.
#include <cstring>

#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// One Fib for the whole burst, and nothing from another.
void Worker::begin_burst() noexcept {
  fib_ = published_.load(std::memory_order_acquire);
  way_out_.known = false;
  tunnel_way_.tunnel = tables::no_tunnel;
}

// 1. One Fib for the whole burst.
// 2. Every frame goes as far as it can without the engine.
// 3. The engine takes what waits for it; what has left the last step leaves the pipeline.
void Worker::process(PortIndex port, Origin origin, std::span<Frame* const> frames) noexcept {
  // 1.
  begin_burst();
  PortCounters& counters = ports_[port]->counters;
  Counter& count_frames = origin == Origin::wire ? counters.received_frames : counters.companion_frames;
  Counter& count_bytes = origin == Origin::wire ? counters.received_bytes : counters.companion_bytes;
  // 2.
  for (Frame* frame : frames) {
    frame->in_port = port;
    frame->out_port = no_port;
    frame->origin = origin;
    frame->policy = nullptr;
    frame->tunnel = tables::no_tunnel;
    frame->l2_length = 0;
    frame->wire_length = frame->packet.length;
    frame->verdict = Verdict::pending;
    count_frames.add();
    count_bytes.add(frame->packet.length);
    if (origin == Origin::wire)
      receive(*frame);
    else
      receive_companion(*frame);
  }
  // 3.
  offer();
  flush();
}

// 1. One whole Ethernet header, one segment.
// 2. Addressed to this port or to a group. A source is never a group.
// 3. EAPOL, untagged, belongs to the uncontrolled port (IEEE 802.1X-2020 6.4): MACsec does not see it, and it goes
//    nowhere but to this port's own companion.
// 4. MACsec: what classify() decides without a key ends or goes on here; the rest is for the engine.
void Worker::receive(Frame& frame) noexcept {
  WorkerPort& port = in_port(frame);
  const std::uint8_t* data = frame.packet.data;
  // 1.
  if (frame.packet.next != nullptr) return end(frame, Verdict::unsupported);
  if (frame.packet.length < wire::ethernet_size) return end(frame, Verdict::malformed_ethernet);
  // 2.
  const MacAddress destination = mac_at(data);
  if (!destination.group() && destination != port.settings.mac) return end(frame, Verdict::wrong_destination_mac);
  if (mac_at(data + wire::mac_size).group()) return end(frame, Verdict::malformed_ethernet);
  // 3.
  if (wire::load16(data + wire::ethertype_offset) == wire::ethertype_eapol) {
    if (eapol_received(data, port.settings.mac) != Exemption::granted) return end(frame, Verdict::exemption_refused);
    if (frame.packet.length > port.longest_frame) return end(frame, Verdict::oversize);
    frame.l2_length = wire::ethernet_size;
    return punt(frame, port.index, destination, wire::ethertype_eapol, Verdict::exempt);
  }
  // 4.
  if (port.settings.secy != nullptr) {
    const tables::ReceiveDecision decision = port.settings.secy->classify(data, frame.packet.length);
    if (decision.verdict == Verdict::pending)
      return submit(frame, Step::validated, {decision.sa, Operation::macsec_validate});
    if (decision.verdict != Verdict::unchecked) return end(frame, decision.verdict);
    if (decision.strip) port.settings.secy->strip(frame.packet);
  }
  receive_controlled(frame);
}

// 1. The port's VLAN tags, all of them.
// 2. By EtherType. EAPOL that comes here was tagged or protected: not the uncontrolled port's, so nobody's.
void Worker::receive_controlled(Frame& frame) noexcept {
  // 1.
  const L2Header l2 = parse_l2(frame.packet.data, frame.packet.length, in_port(frame).settings.vlan);
  if (l2.verdict != Verdict::pending) return end(frame, l2.verdict);
  frame.l2_length = l2.length;
  // 2.
  switch (l2.ethertype) {
    case wire::ethertype_ipv4:
    case wire::ethertype_ipv6:
      return receive_ip(frame, l2.ethertype);
    case wire::ethertype_arp:
      return receive_arp(frame);
    case wire::ethertype_eapol:
      return end(frame, Verdict::exemption_refused);
    default:
      return end(frame, Verdict::unknown_ethertype);
  }
}

void Worker::receive_arp(Frame& frame) noexcept {
  const WorkerPort& port = in_port(frame);
  const std::uint8_t* arp = frame.packet.data + frame.l2_length;
  if (arp_received(here(port), frame.packet.data, arp, frame.packet.length - frame.l2_length) != Exemption::granted)
    return end(frame, Verdict::exemption_refused);
  frame.packet.set_length(frame.l2_length + arp_size);
  punt(frame, port.index, mac_at(frame.packet.data), wire::ethertype_arp, Verdict::exempt);
}

bool Worker::take_ip(Frame& frame, std::uint16_t ethertype, wire::IpPacket& ip) noexcept {
  const Family family = ethertype == wire::ethertype_ipv4 ? Family::ipv4 : Family::ipv6;
  const std::uint8_t* const data = frame.packet.data + frame.l2_length;
  if (!wire::parse_ip_into(ip, data, frame.packet.length - frame.l2_length) || ip.family != family) {
    end(frame, Verdict::malformed_ip);
    return false;
  }
  if (ip.total_length > in_port(frame).settings.mtu) {
    end(frame, Verdict::oversize);
    return false;
  }
  frame.packet.set_length(frame.l2_length + ip.total_length);
  return true;
}

// 1. A valid packet no longer than the port's MTU.
// 2. From the site, of a flow that is known to go into a tunnel.
// 3. Whom it is for; a group frame that carries a unicast packet, or the reverse, is for nobody (RFC 1122 3.3.6).
// 4. By side.
void Worker::receive_ip(Frame& frame, std::uint16_t ethertype) noexcept {
  // 1.
  wire::IpPacket ip;
  if (!take_ip(frame, ethertype, ip)) return;
  // 2.
  const bool clear = in_port(frame).clear();
  if (clear && (frame.packet.data[0] & 1U) == 0) {
    if (const auto flow = flow_key(ip, frame.in_port)) {
      tables::PolicyEntry* const known = outbound_flows_.find(*flow, fib_->serial());
      if (known != nullptr) return protect(frame, ip, tables::Spd::outbound(*known));
    }
  }
  // 3.
  const Reach whom = reach(frame, ip);
  if (whom == Reach::mismatch) return end(frame, Verdict::wrong_destination_mac);
  // 4.
  if (clear)
    receive_clear(frame, ip, whom);
  else
    receive_black(frame, ip, whom);
}

Reach Worker::reach(const Frame& frame, const wire::IpPacket& ip) noexcept {
  if (ip.family != Family::ipv4) return find_reach(frame, ip);
  LastReach& last = last_reach_;
  const std::uint32_t destination = wire::load32(ip.destination());
  const bool group_frame = (frame.packet.data[0] & 1U) != 0;
  if (last.destination != destination || last.in_port != frame.in_port || last.group_frame != group_frame ||
      last.fib_serial != fib_->serial())
    last = {fib_->serial(), destination, frame.in_port, group_frame, find_reach(frame, ip)};
  return last.reach;
}

Reach Worker::find_reach(const Frame& frame, const wire::IpPacket& ip) const noexcept {
  const std::uint8_t* to = ip.destination();
  const bool many = is_multicast(ip.family, to) || fib_->broadcast(frame.in_port, ip.family, to);
  if (many != ((frame.packet.data[0] & 1U) != 0)) return Reach::mismatch;
  if (many) return Reach::many;
  if (fib_->owns(frame.in_port, ip.family, to)) return Reach::us;
  return fib_->owner(ip.family, to) == no_port ? Reach::transit : Reach::our_other;
}

}  // namespace linecrypt::gateway
