#include "host/gateway/live.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <iterator>
#include <utility>

namespace linecrypt::gateway {

namespace {

void check_companion(const Runtime& runtime, PortIndex index, std::vector<kernel::LiveRule>& rules) {
  const kernel::CompanionTap& companion = *runtime.companions[index];
  const config::Port& port = runtime.config.ports[index];
  const auto add = [&](const char* rule, bool holds, std::string found) {
    rules.push_back({port.name, companion.netdev(), rule, holds ? kernel::RuleState::ok : kernel::RuleState::violated,
                     holds ? std::string{} : std::move(found)});
  };
  const auto link = kernel::find_link(*runtime.netlink, companion.netdev());
  if (!link || link->index != companion.index()) {
    add("companion present", false, link ? "another netdev has taken the name" : link.error().message);
    return;
  }
  const kernel::Forwarding forwarding = kernel::read_forwarding(companion.netdev());
  add("IPv4 forwarding off", !forwarding.ipv4, "forwarding is on");
  add("IPv6 forwarding off", !forwarding.ipv6, "forwarding is on");
  add("companion up", (link->flags & IFF_UP) != 0, "down");
  add("companion in no bridge", link->master == 0, "has a master");
  add("companion MAC", link->mac == runtime.devices[index]->mac(), link->mac.text());
}

}  // namespace

std::vector<kernel::LiveRule> check_live(const Runtime& runtime) {
  std::vector<kernel::LiveRule> rules;
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    if (runtime.wires[i]) {
      auto found = runtime.wires[i]->check_live(*runtime.netlink);
      std::move(found.begin(), found.end(), std::back_inserter(rules));
    }
    check_companion(runtime, i, rules);
  }
  return rules;
}

}  // namespace linecrypt::gateway
