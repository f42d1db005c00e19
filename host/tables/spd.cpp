#include "host/tables/spd.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "host/tables/rule_table.hpp"

namespace linecrypt::tables {
namespace {

// Protocols whose first four bytes are two ports: TCP, UDP, DCCP, SCTP.
[[nodiscard]] bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132;
}

Result<void> check(const Policy& policy) {
  if (policy.selectors.empty()) {
    return Error{fmt::format("policy {}: it has no selectors and would match nothing", policy.name)};
  }
  if ((policy.outbound == Requirement::request || policy.inbound == Requirement::request) && !policy.allow_clear) {
    return Error{fmt::format("policy {}: request lets clear traffic pass and needs allow_clear = true", policy.name)};
  }
  for (const Selector& selector : policy.selectors) {
    if (selector.local.address.family != selector.remote.address.family) {
      return Error{fmt::format("policy {}: local {} and remote {} are of two families", policy.name,
                               selector.local.text(), selector.remote.text())};
    }
    const bool any_port = selector.local_port.any() && selector.remote_port.any();
    if (!any_port && !(selector.protocol && has_ports(*selector.protocol))) {
      return Error{fmt::format("policy {}: a port range needs protocol 6, 17, 33 or 132", policy.name)};
    }
  }
  return {};
}

}  // namespace

// The rules of one family and the entry that each belongs to.
class Spd::RuleTable {
 public:
  void add(const Selector& selector, PolicyEntry* entry) {
    selectors_.push_back(selector);
    entries_.push_back(entry);
  }
  void compile() { table_ = std::make_unique<tables::RuleTable>(std::move(selectors_)); }
  [[nodiscard]] PolicyEntry* first_match(const TrafficKey& key) const noexcept {
    const std::uint32_t rule = table_->first_match(key);
    return rule == tables::RuleTable::no_match ? nullptr : entries_[rule];
  }

 private:
  std::vector<Selector> selectors_;
  std::vector<PolicyEntry*> entries_;
  std::unique_ptr<tables::RuleTable> table_;
};

Spd::Spd() : rules_v4_(std::make_unique<RuleTable>()), rules_v6_(std::make_unique<RuleTable>()) {}
Spd::~Spd() = default;

Result<std::unique_ptr<Spd>> Spd::build(std::vector<Policy> policies, const std::vector<std::string>& tunnel_names) {
  // 1. Priority first, ties by position.
  std::stable_sort(policies.begin(), policies.end(),
                   [](const Policy& a, const Policy& b) { return a.priority < b.priority; });
  std::unique_ptr<Spd> spd(new Spd);
  for (Policy& policy : policies) {
    if (const Result<void> checked = check(policy); !checked) return checked.error();
    // 2. The tunnel's name becomes its index.
    std::uint32_t tunnel = no_tunnel;
    if (policy.action == PolicyAction::protect) {
      const auto found = std::find(tunnel_names.begin(), tunnel_names.end(), policy.tunnel);
      if (found == tunnel_names.end()) {
        return Error{
            fmt::format("policy {}: it protects by tunnel \"{}\", which does not exist", policy.name, policy.tunnel)};
      }
      tunnel = static_cast<std::uint32_t>(found - tunnel_names.begin());
    }
    // 3. Its selectors, in the table of their family.
    auto entry = std::make_unique<PolicyEntry>();
    entry->policy = std::move(policy);
    entry->tunnel = tunnel;
    for (const Selector& selector : entry->policy.selectors) {
      (selector.local.address.family == Family::ipv4 ? spd->rules_v4_ : spd->rules_v6_)->add(selector, entry.get());
    }
    spd->entries_.push_back(std::move(entry));
  }
  spd->rules_v4_->compile();
  spd->rules_v6_->compile();
  return spd;
}

PolicyEntry* Spd::first_match(const TrafficKey& key) const noexcept {
  return (key.family == Family::ipv4 ? rules_v4_ : rules_v6_)->first_match(key);
}

namespace {

[[nodiscard]] PolicyMatch judge(PolicyEntry* entry, Requirement Policy::*requirement) noexcept {
  if (entry == nullptr) return {};
  const Policy& policy = entry->policy;
  const bool clear = policy.action == PolicyAction::protect && policy.*requirement == Requirement::request &&
                     policy.allow_clear && !entry->sealed.load(std::memory_order_relaxed);
  return {entry, clear};
}

}  // namespace

PolicyMatch Spd::outbound(const TrafficKey& key) const noexcept {
  return judge(first_match(key), &Policy::outbound);
}
PolicyMatch Spd::outbound(PolicyEntry& entry) noexcept {
  return judge(&entry, &Policy::outbound);
}
PolicyMatch Spd::inbound(const TrafficKey& key) const noexcept {
  return judge(first_match(key), &Policy::inbound);
}

}  // namespace linecrypt::tables
