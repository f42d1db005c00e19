// rte_flow rules whose action is a MACsec session.
#include <rte_flow_driver.h>

#include <algorithm>
#include <cerrno>

#include "driver/dpdk/net/macsec_sessions.hpp"

namespace linecrypt::dpdk {

int MacsecSessions::check_rule(const rte_flow_attr& attr, const rte_flow_item* pattern, const MacsecHandle& handle,
                               rte_flow_error* error) {
  const auto refuse = [&](int code, rte_flow_error_type type, const char* why) {
    return rte_flow_error_set(error, code, type, nullptr, why);
  };
  MacsecMatch match;
  if (const int code = read_match(pattern, match, error); code != 0) return code;
  if (attr.group != 0) return refuse(ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, "attr.group: not 0, allowed: 0");
  if (attr.transfer != 0) return refuse(ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER, "attr.transfer: 1, allowed: 0");
  const std::lock_guard lock(mutex_);
  if (sc_of(handle) == nullptr)
    return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, "action SECURITY: its session is gone, allowed: a live one");
  const bool egress = handle.session->egress;
  if ((attr.egress != 0) != egress || (attr.ingress != 0) == egress)
    return refuse(EINVAL, egress ? RTE_FLOW_ERROR_TYPE_ATTR_EGRESS : RTE_FLOW_ERROR_TYPE_ATTR_INGRESS,
                  egress ? "attr: allowed for a session with dir TX: egress alone"
                         : "attr: allowed for a session with dir RX: ingress alone");
  if (rules_.size() >= macsec_rules_most)
    return refuse(ENOSPC, RTE_FLOW_ERROR_TYPE_HANDLE, "all 1024 rules of MACsec are in use");
  return 0;
}

MacsecSessions::Rule* MacsecSessions::add_rule(const rte_flow_attr& attr, const rte_flow_item* pattern,
                                               const MacsecHandle& handle, rte_flow_error* error) {
  if (check_rule(attr, pattern, handle, error) != 0) return nullptr;
  auto rule = std::make_unique<Rule>();
  rule->attr = attr;
  rule->handle = handle;
  if (read_match(pattern, rule->match, error) != 0) return nullptr;
  const std::lock_guard lock(mutex_);
  Rule* const made = rules_.emplace_back(std::move(rule)).get();
  publish_rules();
  return made;
}

void MacsecSessions::remove_rule(Rule* rule) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const auto& one) { return one.get() == rule; });
  if (found == rules_.end()) return;
  rules_.erase(found);
  publish_rules();
}

void MacsecSessions::publish_rules() {
  publish(rx_current_, rx_rules_, false);
  publish(tx_current_, tx_rules_, true);
}

// 1. The live rules in their order: by priority, and as they came. 2. In sight. 3. The ones before, once nobody looks.
void MacsecSessions::publish(std::unique_ptr<const Rules>& current, std::atomic<const Rules*>& shown, bool egress) {
  // 1.
  std::vector<const Rule*> live;
  for (const auto& rule : rules_)
    if ((rule->attr.egress != 0) == egress && sc_of(rule->handle) != nullptr) live.push_back(rule.get());
  std::stable_sort(live.begin(), live.end(),
                   [](const Rule* a, const Rule* b) { return a->attr.priority < b->attr.priority; });
  auto next = std::make_unique<Rules>();
  for (const Rule* rule : live) next->push_back({rule->match, rule->handle.session, rule->handle.session->sci});
  if (next->empty()) next.reset();
  // 2.
  shown.store(next.get(), std::memory_order_seq_cst);
  // 3.
  readers_.wait();
  current = std::move(next);
}

}  // namespace linecrypt::dpdk
