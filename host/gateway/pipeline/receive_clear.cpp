// From the site.
#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// 1. Neighbour discovery is the link's own.
// 2. To this port itself, or to a group it may be in: the companion's, unless a policy discards it. A source route that
//    would go on from here is not for us.
// 3. Nothing else is for a companion: not our other ports' addresses, nothing that claims to come from ourselves.
// 4. What may not leave its link is not forwarded.
// 5. The rest crosses the boundary: the SPD decides. A flow that it protects is remembered; receive_ip() asks for it.
void Worker::receive_clear(Frame& frame, const wire::IpPacket& ip, Reach whom) noexcept {
  const WorkerPort& port = in_port(frame);
  const std::uint16_t ethertype = ip.family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
  const MacAddress destination = mac_at(frame.packet.data);
  // 1.
  const Exemption discovery = neighbour_discovery_received(here(port), ip);
  if (discovery == Exemption::refused) return end(frame, Verdict::exemption_refused);
  if (discovery == Exemption::granted) return punt(frame, port.index, destination, ethertype, Verdict::exempt);
  // 2.
  if (whom == Reach::us || whom == Reach::many) {
    if (ip.routing_pending) return end(frame, Verdict::unsupported);
    if (discarded_by_policy(ip, wire::LocalSide::destination)) return end(frame, Verdict::policy_discard);
    return punt(frame, port.index, destination, ethertype, Verdict::punted);
  }
  // 3.
  if (whom == Reach::our_other || fib_->owner(ip.family, ip.source()) != no_port)
    return end(frame, Verdict::policy_default);
  // 4.
  if (!is_routable(ip.family, ip.source()) || !is_routable(ip.family, ip.destination()))
    return end(frame, Verdict::no_route);
  // 5.
  const tables::PolicyMatch match = spd_.outbound(wire::traffic_key(ip, wire::LocalSide::source));
  if (match.entry != nullptr && match.entry->policy.action == PolicyAction::protect)
    if (const auto flow = flow_key(ip, frame.in_port)) outbound_flows_.put(*flow, fib_->serial(), *match.entry);
  policy_outbound(frame, ip, match);
}

}  // namespace linecrypt::gateway
