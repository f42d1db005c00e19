// From the circuit: ESP, the exemptions, clear traffic that a policy lets in, and what came out of an SA.
#include "host/gateway/pipeline/esp_input.hpp"
#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// 1. ESP, bare or in UDP, to any of our addresses: by its SPI to the engine (RFC 4301 5.2 step 1). Keepalives end here.
// 2. Neighbour discovery and IKE are exempt.
// 3. A too-big about our own ESP teaches the path MTU; what becomes of the message is the policy's business.
// 4. Nothing from outside claims to come from ourselves.
// 5. What is left is clear traffic: the inbound policy (RFC 4301 5.2 step 2).
// 6. To us: the companion. To another link: the clear side.
void Worker::receive_black(Frame& frame, const wire::IpPacket& ip, Reach whom) noexcept {
  const WorkerPort& port = in_port(frame);
  // 1.
  if (whom == Reach::us || whom == Reach::our_other) {
    const EspInput input = esp_input(ip, udp_ports_);
    if (input.verdict != Verdict::pending) return end(frame, input.verdict);
    if (input.esp) return receive_esp(frame, input.spi);
  }
  // 2.
  const std::uint16_t ethertype = ip.family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
  const MacAddress destination = mac_at(frame.packet.data);
  Exemption exemption = neighbour_discovery_received(here(port), ip);
  if (exemption == Exemption::none) exemption = ike_received(here(port), ip);
  if (exemption == Exemption::refused) return end(frame, Verdict::exemption_refused);
  if (exemption == Exemption::granted) return punt(frame, port.index, destination, ethertype, Verdict::exempt);
  // 3.
  if (whom == Reach::us) learn_path_mtu(ip);
  // 4.
  if (fib_->owner(ip.family, ip.source()) != no_port) return end(frame, Verdict::policy_default);
  // 5.
  const Verdict verdict = policy_inbound_clear(ip);
  if (is_drop(verdict)) return end(frame, verdict);
  // 6.
  if (whom == Reach::our_other) return end(frame, Verdict::policy_default);
  if (whom == Reach::transit) return forward_to_clear(frame, ip, verdict);
  if (ip.routing_pending) return end(frame, Verdict::unsupported);
  punt(frame, port.index, destination, ethertype, verdict == Verdict::bypassed ? Verdict::punted : verdict);
}

// With many SAs each lookup waits for memory: those of a burst wait together.
void Worker::receive_esp(Frame& frame, std::uint32_t spi) noexcept {
  if (esp_.spi_count == 0 || esp_.spis[esp_.spi_count - 1] != spi) esp_.spis[esp_.spi_count++] = spi;
  esp_.spi_of[esp_.count] = static_cast<std::uint8_t>(esp_.spi_count - 1);
  esp_.frames[esp_.count++] = &frame;
  if (esp_.count == burst_largest) look_up_esp();
}

void Worker::look_up_esp() noexcept {
  std::array<SaId, burst_largest> ids;
  spi_table_.find({esp_.spis.data(), esp_.spi_count}, ids);
  for (std::uint32_t i = 0; i < esp_.count; ++i) {
    const SaId id = ids[esp_.spi_of[i]];
    if (id.valid())
      submit(*esp_.frames[i], Step::decapsulated, {id, Operation::esp_decapsulate});
    else
      end(*esp_.frames[i], Verdict::esp_unknown_spi);
  }
  esp_.count = 0;
  esp_.spi_count = 0;
}

// The engine has checked tag, window, padding and the SA's selectors; the link-layer header is still the black port's.
//
// 1. The packet that came out. Its flow may be known to be allowed, and to go on to the clear side.
// 2. A policy must still allow it: a discard that stands before the tunnel's own policy holds on the way in too.
// 3. To us: never the black side's companion. Else the clear side; such a flow is remembered.
void Worker::receive_decapsulated(Frame& frame) noexcept {
  // 1.
  wire::IpPacket ip;
  if (!wire::parse_ip_into(ip, frame.packet.data + frame.l2_length, frame.packet.length - frame.l2_length))
    return end(frame, Verdict::esp_bad_inner);
  frame.packet.set_length(frame.l2_length + ip.total_length);
  const auto flow = flow_key(ip, frame.in_port);
  if (flow) {
    tables::PolicyEntry* const known = inbound_flows_.find(*flow, fib_->serial());
    if (known != nullptr) return route_to_clear(frame, ip, policy_inbound_decapsulated(known, ip));
  }
  // 2.
  const tables::PolicyMatch match = spd_.inbound(wire::traffic_key(ip, wire::LocalSide::destination));
  const Verdict verdict = policy_inbound_decapsulated(match.entry, ip);
  if (is_drop(verdict)) return end(frame, verdict);
  // 3.
  const PortIndex owner = fib_->owner(ip.family, ip.destination());
  if (owner != no_port) return deliver_decapsulated(frame, ip, owner);
  if (flow && is_routable(ip.family, ip.source())) inbound_flows_.put(*flow, fib_->serial(), *match.entry);
  forward_to_clear(frame, ip, verdict);
}

// A packet for the gateway itself goes to the kernel through a clear port: the one that has the address, else
// (transport mode ends at a black address) the first.
void Worker::deliver_decapsulated(Frame& frame, const wire::IpPacket& ip, PortIndex owner) noexcept {
  const PortIndex door = ports_[owner]->clear() ? owner : first_clear_;
  if (door == no_port) return end(frame, Verdict::policy_default);
  if (ip.routing_pending) return end(frame, Verdict::unsupported);
  const std::uint16_t ethertype = ip.family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
  punt(frame, door, ports_[door]->settings.mac, ethertype, Verdict::punted);
}

}  // namespace linecrypt::gateway
