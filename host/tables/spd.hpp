// Spd: the security policy database (RFC 4301 4.4.1), compiled from policies into one immutable table per family.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "linecrypt/counters.hpp"
#include "linecrypt/policy.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::tables {

inline constexpr std::uint32_t no_tunnel = 0xffffffff;

// One policy at run time. `tunnel` indexes the caller's tunnels.
struct PolicyEntry {
  Policy policy;
  std::uint32_t tunnel = no_tunnel;
  // True once an SA of it carried a packet: a policy of request is require from then on, for good. Set by the worker.
  std::atomic<bool> sealed{false};
  // Of the one worker.
  Counter outbound_packets;
  Counter outbound_bytes;
  Counter inbound_packets;
  Counter inbound_bytes;
  Counter request_clear;
  Counter discarded;
};

// What the policy says of one packet.
struct PolicyMatch {
  PolicyEntry* entry = nullptr;  // none: default discard
  bool may_pass_clear = false;   // protect by request, not sealed: clear may pass while there is no SA
};

class Spd {
 public:
  // Selectors list x list were expanded by the configuration. Order: priority, then position.
  // An error names the policy and what is wrong with it: an unknown tunnel, no selector, a selector of two families or
  // of ports without a protocol that has them, a request without allow_clear.
  static Result<std::unique_ptr<Spd>> build(std::vector<Policy> policies, const std::vector<std::string>& tunnel_names);
  ~Spd();

  // Worker. The first policy with a selector that matches. The key's local side is the clear side.
  [[nodiscard]] PolicyMatch outbound(const TrafficKey& key) const noexcept;
  // The same where the policy is known already: what it says may have changed since.
  [[nodiscard]] static PolicyMatch outbound(PolicyEntry& entry) noexcept;
  // Clear traffic from the black side.
  [[nodiscard]] PolicyMatch inbound(const TrafficKey& key) const noexcept;
  // In the order of matching.
  [[nodiscard]] std::span<const std::unique_ptr<PolicyEntry>> entries() const noexcept { return entries_; }

 private:
  class RuleTable;
  Spd();
  [[nodiscard]] PolicyEntry* first_match(const TrafficKey& key) const noexcept;

  std::vector<std::unique_ptr<PolicyEntry>> entries_;
  std::unique_ptr<RuleTable> rules_v4_;
  std::unique_ptr<RuleTable> rules_v6_;
};

}  // namespace linecrypt::tables
