// The SPD's say (RFC 4301 4.4.1, 5.1, 5.2). No policy means discard.
#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// RFC 4301 5.1: from the clear side, or from the gateway itself, towards the black side.
void Worker::policy_outbound(Frame& frame, const wire::IpPacket& ip, const tables::PolicyMatch& match) noexcept {
  if (match.entry == nullptr) return end(frame, Verdict::policy_default);
  switch (match.entry->policy.action) {
    case PolicyAction::discard:
      match.entry->discarded.add();
      return end(frame, Verdict::policy_discard);
    case PolicyAction::bypass:
      match.entry->outbound_packets.add();
      match.entry->outbound_bytes.add(ip.total_length);
      return forward_clear(frame, ip, Verdict::bypassed);
    case PolicyAction::protect:
      return protect(frame, ip, match);
  }
  end(frame, Verdict::policy_default);
}

// 1. The tunnel's SA, if there is one. An SA that is expired or out of lease still is one: its packets are dropped by
// the
//    engine and never pass in clear (DESIGN 3.1).
// 2. None: only a policy of request that never had one lets clear traffic pass.
void Worker::protect(Frame& frame, const wire::IpPacket& ip, const tables::PolicyMatch& match) noexcept {
  tables::PolicyEntry& entry = *match.entry;
  // 1.
  if (entry.tunnel < tunnels_.size()) {
    const std::uint64_t packed = tunnels_[entry.tunnel]->egress_sa.load(std::memory_order_acquire);
    const SaId sa{static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32U)};
    if (sa.valid()) {
      entry.outbound_packets.add();
      entry.outbound_bytes.add(ip.total_length);
      frame.policy = &entry;
      return encapsulate(frame, ip, entry.tunnel, sa);
    }
  }
  // 2.
  if (!match.may_pass_clear) {
    entry.discarded.add();
    return end(frame, Verdict::no_sa);
  }
  entry.outbound_packets.add();
  entry.outbound_bytes.add(ip.total_length);
  entry.request_clear.add();
  forward_clear(frame, ip, Verdict::request_clear);
}

// RFC 4301 5.2 step 2: what came in clear from the black side.
Verdict Worker::policy_inbound_clear(const wire::IpPacket& ip) noexcept {
  const tables::PolicyMatch match = spd_.inbound(wire::traffic_key(ip, wire::LocalSide::destination));
  if (match.entry == nullptr) return Verdict::policy_default;
  tables::PolicyEntry& entry = *match.entry;
  const bool passes = entry.policy.action == PolicyAction::bypass ||
                      (entry.policy.action == PolicyAction::protect && match.may_pass_clear);
  if (!passes) {
    entry.discarded.add();
    return entry.policy.action == PolicyAction::discard ? Verdict::policy_discard : Verdict::policy_clear_inbound;
  }
  entry.inbound_packets.add();
  entry.inbound_bytes.add(ip.total_length);
  if (entry.policy.action == PolicyAction::bypass) return Verdict::bypassed;
  entry.request_clear.add();
  return Verdict::request_clear;
}

// RFC 4301 5.2 step 4, the SPD's side of it. An SA has carried a packet: a policy of request is require from now on.
Verdict Worker::policy_inbound_decapsulated(tables::PolicyEntry* entry, const wire::IpPacket& ip) noexcept {
  if (entry == nullptr) return Verdict::policy_default;
  if (entry->policy.action == PolicyAction::discard) {
    entry->discarded.add();
    return Verdict::policy_discard;
  }
  if (entry->policy.action == PolicyAction::protect) entry->sealed.store(true, std::memory_order_relaxed);
  entry->inbound_packets.add();
  entry->inbound_bytes.add(ip.total_length);
  return Verdict::ok;
}

bool Worker::discarded_by_policy(const wire::IpPacket& ip, wire::LocalSide local) noexcept {
  const TrafficKey key = wire::traffic_key(ip, local);
  const tables::PolicyMatch match = local == wire::LocalSide::source ? spd_.outbound(key) : spd_.inbound(key);
  if (match.entry == nullptr || match.entry->policy.action != PolicyAction::discard) return false;
  match.entry->discarded.add();
  return true;
}

}  // namespace linecrypt::gateway
