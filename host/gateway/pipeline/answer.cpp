// What the gateway says itself: ICMP errors towards the clear side, NAT keepalives; and the one thing it lets itself be
// told from outside, a path MTU.
#include <algorithm>
#include <cstring>

#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

namespace {

// A learnt path MTU below these is not believed (RFC 791's datagram that every host takes; RFC 8201 4).
constexpr std::uint32_t learnt_mtu_smallest(Family family) noexcept {
  return family == Family::ipv4 ? 576 : 1280;
}

bool same_bytes(const IpAddress& address, Family family, const std::uint8_t* bytes) noexcept {
  return address.family == family && std::memcmp(address.bytes.data(), bytes, address.size()) == 0;
}

}  // namespace

// 1. Once a millisecond: rate limiters.
// 2. Once a second: keepalives of tunnels that were silent (RFC 3948 4), and path MTUs that are old enough to try
// again.
void Worker::tick() noexcept {
  begin_burst();
  now_ns_ = clock_.now_ns(clock_.self);
  // 1.
  for (const auto& port : ports_) port->icmp_tokens.refill(now_ns_);
  // 2.
  if (now_ns_ - last_scan_ns_ < second_ns) return;
  last_scan_ns_ = now_ns_;
  for (std::uint32_t i = 0; i < tunnels_.size(); ++i) {
    TunnelState& tunnel = *tunnels_[i];
    if (tunnel.learnt_mtu.load(std::memory_order_relaxed) != 0 && now_ns_ - learnt_at_ns_[i] >= learnt_mtu_lifetime_ns)
      tunnel.learnt_mtu.store(0, std::memory_order_relaxed);
    if (!tunnel.udp || tunnel.keepalive_seconds == 0 || tunnel.egress_sa.load(std::memory_order_relaxed) == 0) continue;
    if (now_ns_ - tunnel.last_sent_ns >= tunnel.keepalive_seconds * second_ns) send_keepalive(i);
  }
  offer();
  flush();
}

// Towards the clear side only, to the frame's own sender on its own port, and nothing but what that sender sent is in
// it (DESIGN 5).
//
// 1. From the wire of a clear port, about a packet that may be answered.
// 2. From the port's own address; a policy that discards it holds.
// 3. Rate limit.
// 4. The packet; out through the port's MACsec where it has one.
void Worker::answer_with_error(const Frame& offending, const wire::IpPacket& ip, IcmpError error,
                               std::uint32_t mtu) noexcept {
  // 1.
  WorkerPort& port = in_port(offending);
  if (offending.origin != Origin::wire || !port.clear() || !may_answer_with_error(ip)) return;
  // 2.
  const IpAddress* source = fib_->first_address(port.index, ip.family);
  if (source == nullptr) return;
  const TrafficKey key{.family = ip.family,
                       .local = source->bytes.data(),
                       .remote = ip.source(),
                       .protocol = static_cast<std::uint8_t>(ip.family == Family::ipv4 ? 1 : 58)};
  const tables::PolicyMatch match = spd_.outbound(key);
  if (match.entry != nullptr && match.entry->policy.action == PolicyAction::discard) return;
  // 3.
  if (!port.icmp_tokens.take()) return;
  // 4.
  Frame* answer = make_frame(port.index, port.l2_length + icmp_error_largest_ipv6);
  if (answer == nullptr) return;
  const std::uint16_t ethertype = ip.family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
  std::uint8_t* data = answer->packet.data;
  write_l2(data, mac_at(offending.packet.data + wire::mac_size), port.settings.mac, port.settings.vlan, ethertype);
  const std::uint32_t length = write_icmp_error(data + port.l2_length, error, mtu, *source, ip);
  answer->packet.set_length(port.l2_length + length);
  send(*answer, Verdict::answered);
}

// Anybody on the black side can send this, so it is believed only if it quotes what nobody off the path can know: the
// SPI of a live egress SA together with its outer addresses and ports (RFC 4301 8.2.1). It can only lower, and not far.
void Worker::learn_path_mtu(const wire::IpPacket& ip) noexcept {
  const std::optional<QuotedEsp> quoted = read_too_big(ip);
  if (!quoted || quoted->spi == 0 || quoted->mtu < learnt_mtu_smallest(quoted->family)) return;
  for (std::uint32_t i = 0; i < tunnels_.size(); ++i) {
    TunnelState& tunnel = *tunnels_[i];
    if (tunnel.egress_sa.load(std::memory_order_acquire) == 0) continue;
    if (tunnel.egress_spi.load(std::memory_order_relaxed) != quoted->spi) continue;
    if (!same_bytes(tunnel.source, quoted->family, quoted->source)) continue;
    if (!same_bytes(tunnel.destination, quoted->family, quoted->destination)) continue;
    if (tunnel.udp != quoted->udp) continue;
    if (tunnel.udp && (tunnel.udp_source_port != quoted->udp_source_port ||
                       tunnel.udp_destination_port != quoted->udp_destination_port))
      continue;
    const std::uint32_t now = tunnel.learnt_mtu.load(std::memory_order_relaxed);
    if (now != 0 && quoted->mtu >= now) return;
    tunnel.learnt_mtu.store(quoted->mtu, std::memory_order_relaxed);
    tunnel_way_.tunnel = tables::no_tunnel;
    learnt_at_ns_[i] = now_ns_;
    return;
  }
}

// RFC 3948 2.3: one byte 0xff in UDP between the tunnel's two ends. Checksum zero over IPv4, computed over IPv6.
void Worker::send_keepalive(std::uint32_t index) noexcept {
  TunnelState& tunnel = *tunnels_[index];
  const bool v4 = tunnel.source.family == Family::ipv4;
  WayOut& way = way_out(tunnel.destination.family, tunnel.destination.bytes.data());
  const NextHop& next = way.next;
  if (next.port == no_port || ports_[next.port]->clear()) return;
  const MacAddress* destination = resolve(way);
  if (destination == nullptr) return;
  const WorkerPort& out = *ports_[next.port];
  const std::uint32_t header = v4 ? wire::ipv4_size : wire::ipv6_size;
  constexpr std::uint32_t datagram = wire::udp_size + 1;
  Frame* frame = make_frame(next.port, out.l2_length + header + datagram);
  if (frame == nullptr) return;

  write_l2(frame->packet.data, *destination, out.settings.mac, out.settings.vlan,
           v4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6);
  std::uint8_t* ip = frame->packet.data + out.l2_length;
  std::uint8_t* udp = ip + header;
  std::memset(ip, 0, header + datagram);
  if (v4) {
    ip[0] = 0x45;
    wire::store16(ip + wire::ipv4_total_length, static_cast<std::uint16_t>(header + datagram));
    wire::store16(ip + wire::ipv4_fragment, wire::ipv4_flag_df);
    ip[wire::ipv4_ttl] = 64;
    ip[wire::ipv4_protocol] = wire::protocol_udp;
    std::memcpy(ip + wire::ipv4_source, tunnel.source.bytes.data(), 4);
    std::memcpy(ip + wire::ipv4_destination, tunnel.destination.bytes.data(), 4);
    wire::ipv4_set_checksum(ip, header);
  } else {
    ip[0] = 0x60;
    wire::store16(ip + wire::ipv6_payload_length, datagram);
    ip[wire::ipv6_next_header] = wire::protocol_udp;
    ip[wire::ipv6_hop_limit] = 64;
    std::memcpy(ip + wire::ipv6_source, tunnel.source.bytes.data(), 16);
    std::memcpy(ip + wire::ipv6_destination, tunnel.destination.bytes.data(), 16);
  }
  wire::store16(udp + wire::udp_source_port, tunnel.udp_source_port);
  wire::store16(udp + wire::udp_destination_port, tunnel.udp_destination_port);
  wire::store16(udp + wire::udp_length, datagram);
  udp[wire::udp_size] = wire::nat_keepalive;
  if (!v4) {
    const std::uint16_t sum = wire::checksum_with_pseudo_header(ip + wire::ipv6_source, ip + wire::ipv6_destination, 16,
                                                                wire::protocol_udp, udp, datagram);
    wire::store16(udp + wire::udp_checksum, sum == 0 ? 0xffff : sum);
  }
  tunnel.last_sent_ns = now_ns_;
  send(*frame, Verdict::answered);
}

Frame* Worker::make_frame(PortIndex port, std::uint32_t length) noexcept {
  Frame* frame = io_.allocate();
  if (frame == nullptr) return nullptr;
  if (frame->packet.length + frame->packet.tailroom < length) {
    // Not counted: it never was a frame.
    released_.frames[released_.count++] = frame;
    if (released_.count == burst_largest) flush_released();
    return nullptr;
  }
  frame->packet.set_length(length);
  frame->in_port = frame->out_port = port;
  frame->origin = Origin::wire;
  frame->policy = nullptr;
  frame->tunnel = tables::no_tunnel;
  frame->l2_length = ports_[port]->l2_length;
  frame->verdict = Verdict::pending;
  frame->wire_length = 0;
  ports_[port]->counters.made_frames.add();
  return frame;
}

}  // namespace linecrypt::gateway
