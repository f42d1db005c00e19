// [[policy]] (RFC 4301 4.4.1)
#include <fmt/format.h>

#include "host/config/draft.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {
namespace {

constexpr Word<PolicyAction> action_words[] = {
    {"protect", PolicyAction::protect}, {"bypass", PolicyAction::bypass}, {"discard", PolicyAction::discard}};
constexpr Word<Requirement> requirement_words[] = {{"require", Requirement::require},
                                                   {"request", Requirement::request}};

}  // namespace

void read_policy(Section section, Draft& draft) {
  PolicyConfig entry;
  Policy& policy = entry.policy;
  entry.place = section.place();
  read_name(section, policy.name);
  section.integer("priority", 0, 1000000, policy.priority);
  const bool known = section.word("action", action_words, policy.action, Need::required);
  const bool protect = policy.action == PolicyAction::protect;

  // 1. What it matches. A protect policy may leave it to its tunnel (check_policies).
  const bool own = section.has("local_networks") || section.has("remote_networks");
  const Traffic traffic = read_traffic(section, protect && !own ? Need::optional : Need::required);
  policy.selectors = expand(traffic, section);
  if (protect && !own)
    for (const std::string_view key : {"protocol", "local_ports", "remote_ports"})
      if (section.has(key))
        section.error(key, fmt::format("{} needs local_networks and remote_networks beside it", key));

  // 2. What only a protect policy has.
  constexpr std::string_view protect_keys[] = {"tunnel", "outbound", "inbound", "allow_clear"};
  if (known && !protect) {
    for (const std::string_view key : protect_keys)
      if (section.find(key) != nullptr) section.error(key, fmt::format("{} belongs to action = \"protect\" only", key));
  } else {
    section.text("tunnel", policy.tunnel, protect ? Need::required : Need::optional);
    section.word("outbound", requirement_words, policy.outbound);
    section.word("inbound", requirement_words, policy.inbound);
    section.boolean("allow_clear", policy.allow_clear);
    const bool request = policy.outbound == Requirement::request || policy.inbound == Requirement::request;
    const std::string_view requesting = policy.outbound == Requirement::request ? "outbound" : "inbound";
    if (request && !policy.allow_clear)
      section.error(requesting,
                    fmt::format("{} = \"request\" lets clear traffic pass and needs allow_clear = true", requesting));
    else if (request)
      section.report().warning(
          section.at(requesting),
          fmt::format("{} = \"request\": clear traffic passes until an SA has carried a packet", requesting));
    else if (policy.allow_clear)
      section.error("allow_clear", "allow_clear does nothing without outbound or inbound = \"request\"");
  }
  section.finish();
  draft.policies.push_back(&section.table());
  draft.config.policies.push_back(std::move(entry));
}

}  // namespace linecrypt::config
