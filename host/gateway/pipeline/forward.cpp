// Where a packet goes: route, next hop, path MTU, TTL, and the link-layer header it leaves with.
#include <algorithm>
#include <cstring>

#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"
#include "linecrypt/mtu.hpp"

namespace linecrypt::gateway {

namespace {

// RFC 1812 5.3.1, RFC 8200 3: a forwarder takes one off, and nothing is forwarded with none left.
bool last_hop(const wire::IpPacket& ip) noexcept {
  return ip.hop_limit() <= 1;
}

// Precondition: not its last hop. `packet` is the IP header inside the frame.
void decrement_hop_limit(std::uint8_t* packet, Family family) noexcept {
  if (family == Family::ipv4)
    wire::ipv4_decrement_ttl(packet);
  else
    --packet[wire::ipv6_hop_limit];
}

bool same_bytes(const IpAddress& address, const wire::IpPacket& ip, const std::uint8_t* bytes) noexcept {
  return address.family == ip.family && std::memcmp(address.bytes.data(), bytes, ip.address_size()) == 0;
}

}  // namespace

// The clear packet goes into a tunnel. Everything that can refuse it comes before anything of it is changed.
//
// 1. Transport mode carries only packets between its own two ends (RFC 4301 4.1).
// 2. TTL, for packets that we forward.
// 3. The outer header's route: a black port; for the companion its own.
// 4. Path MTU (RFC 4301 8.2). IPv4 without DF is refused like the rest: nothing here cuts packets.
// 5. The next hop's link address.
// 6. TTL, link-layer header of the outgoing port; then one trip through the engine for ESP and MACsec.
void Worker::encapsulate(Frame& frame, const wire::IpPacket& ip, std::uint32_t tunnel_index, SaId sa) noexcept {
  const TunnelState& tunnel = *tunnels_[tunnel_index];
  const bool forwarded = frame.origin == Origin::wire;
  // 1.
  if (tunnel.mode == EspMode::transport &&
      !(same_bytes(tunnel.source, ip, ip.source()) && same_bytes(tunnel.destination, ip, ip.destination())))
    return end(frame, Verdict::selector_mismatch);
  // 2.
  if (forwarded && last_hop(ip)) {
    answer_with_error(frame, ip, IcmpError::time_exceeded, 0);
    return end(frame, Verdict::ttl_exceeded);
  }
  // 3.
  TunnelWay& through = tunnel_way(tunnel_index);
  WayOut& way = through.way;
  const NextHop& next = way.next;
  if (next.port == no_port || ports_[next.port]->clear() || (!forwarded && next.port != frame.in_port))
    return end(frame, Verdict::no_route);
  const WorkerPort& out = *ports_[next.port];
  // 4.
  const std::uint32_t largest = tunnel.mode == EspMode::tunnel
                                    ? through.largest
                                    : largest_clear_packet(tunnel, out, ip.esp_offset - mtu::ip_header_size(ip.family));
  if (ip.total_length > largest) {
    if (forwarded && largest != 0) answer_with_error(frame, ip, IcmpError::too_big, largest);
    return end(frame, Verdict::too_big);
  }
  // 5.
  if (resolve(way) == nullptr) return end(frame, Verdict::no_neighbour);
  // 6.
  if (!write_header(frame, ip, out, way)) return end(frame, Verdict::no_buffer);
  if (forwarded) decrement_hop_limit(frame.packet.data + frame.l2_length, ip.family);
  frame.tunnel = tunnel_index;
  send(frame, Verdict::ok, {sa, Operation::esp_encapsulate});
}

// A packet leaves without an SA because a policy says so. The companion's goes out as it addressed it.
void Worker::forward_clear(Frame& frame, const wire::IpPacket& ip, Verdict verdict) noexcept {
  if (frame.origin == Origin::companion) {
    const std::uint16_t ethertype = ip.family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
    return send_as_addressed(frame, ethertype, verdict);
  }
  if (last_hop(ip)) {
    answer_with_error(frame, ip, IcmpError::time_exceeded, 0);
    return end(frame, Verdict::ttl_exceeded);
  }
  WayOut& way = way_out(ip.family, ip.destination());
  const NextHop& next = way.next;
  if (next.port == no_port) return end(frame, Verdict::no_route);
  const WorkerPort& out = *ports_[next.port];
  if (ip.total_length > out.settings.mtu) {
    answer_with_error(frame, ip, IcmpError::too_big, out.settings.mtu);
    return end(frame, Verdict::too_big);
  }
  if (resolve(way) == nullptr) return end(frame, Verdict::no_neighbour);
  if (!write_header(frame, ip, out, way)) return end(frame, Verdict::no_buffer);
  decrement_hop_limit(frame.packet.data + frame.l2_length, ip.family);
  send(frame, verdict);
}

// From the black side: only to a clear port, never back to a circuit. Nobody outside is told why a packet was dropped.
void Worker::forward_to_clear(Frame& frame, const wire::IpPacket& ip, Verdict verdict) noexcept {
  if (!is_routable(ip.family, ip.source())) return end(frame, Verdict::no_route);
  route_to_clear(frame, ip, verdict);
}

void Worker::route_to_clear(Frame& frame, const wire::IpPacket& ip, Verdict verdict) noexcept {
  WayOut& way = way_out(ip.family, ip.destination());
  const NextHop& next = way.next;
  if (next.port == no_port) return end(frame, Verdict::no_route);
  const WorkerPort& out = *ports_[next.port];
  if (!out.clear()) return end(frame, Verdict::policy_default);
  if (last_hop(ip)) return end(frame, Verdict::ttl_exceeded);
  if (ip.total_length > out.settings.mtu) return end(frame, Verdict::too_big);
  if (resolve(way) == nullptr) return end(frame, Verdict::no_neighbour);
  if (!write_header(frame, ip, out, way)) return end(frame, Verdict::no_buffer);
  decrement_hop_limit(frame.packet.data + frame.l2_length, ip.family);
  send(frame, verdict);
}

WayOut& Worker::way_out(Family family, const std::uint8_t* destination) noexcept {
  WayOut& way = way_out_;
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  const bool same = way.known && way.destination.family == family &&
                    std::memcmp(way.destination.bytes.data(), destination, size) == 0;
  if (!same) {
    way = {true, {family, {}}, fib_->route(family, destination), nullptr, {}};
    std::memcpy(way.destination.bytes.data(), destination, size);
  }
  return way;
}

const MacAddress* Worker::resolve(WayOut& way) noexcept {
  if (way.mac == nullptr) {
    way.mac = fib_->neighbour(way.next.port, way.next.address);
    if (way.mac == nullptr) {
      unresolved_.put({way.next.port, way.next.address});
    } else {
      const PortSettings& port = ports_[way.next.port]->settings;
      way.header = L2Template(*way.mac, port.mac, port.vlan);
    }
  }
  return way.mac;
}

TunnelWay& Worker::tunnel_way(std::uint32_t index) noexcept {
  TunnelWay& through = tunnel_way_;
  if (through.tunnel != index) {
    const TunnelState& tunnel = *tunnels_[index];
    through.tunnel = index;
    through.way = way_out(tunnel.destination.family, tunnel.destination.bytes.data());
    const PortIndex port = through.way.next.port;
    through.largest = port == no_port ? 0 : largest_clear_packet(tunnel, *ports_[port], 0);
  }
  return through;
}

std::uint32_t Worker::largest_clear_packet(const TunnelState& tunnel, const WorkerPort& out,
                                           std::uint32_t extra_header) const noexcept {
  std::uint32_t path = out.settings.mtu;
  if (tunnel.path_mtu != 0) path = std::min(path, tunnel.path_mtu);
  const std::uint32_t learnt = tunnel.learnt_mtu.load(std::memory_order_relaxed);
  if (learnt != 0) path = std::min(path, learnt);
  const mtu::EspLayout layout{tunnel.mode, tunnel.source.family, tunnel.udp, extra_header};
  return mtu::esp_largest_clear_packet(layout, path).value_or(0);
}

bool Worker::write_header(Frame& frame, const wire::IpPacket& ip, const WorkerPort& out, const WayOut& way) noexcept {
  const std::uint16_t ethertype = ip.family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
  if (!way.header.exchange(frame.packet, frame.l2_length, ethertype)) return false;
  frame.l2_length = out.l2_length;
  frame.out_port = out.index;
  return true;
}

}  // namespace linecrypt::gateway
