// linecryptctl policy list: policies in the order they are matched, exemptions, tunnels.
#include <fmt/format.h>

#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

std::string selector_text(const Json& selector) {
  std::string text = fmt::format("{} - {}", field(selector, "local"), field(selector, "remote"));
  if (field(selector, "protocol") != "any") text += " protocol " + field(selector, "protocol");
  if (field(selector, "local_port") != "any") text += " local port " + field(selector, "local_port");
  if (field(selector, "remote_port") != "any") text += " remote port " + field(selector, "remote_port");
  return text;
}

std::string rule_text(const Json& policy) {
  if (field(policy, "action") != "protect") return "";
  std::string text = fmt::format("out {}, in {}", field(policy, "outbound"), field(policy, "inbound"));
  if (field(policy, "outbound") == "request" || field(policy, "inbound") == "request")
    text += field(policy, "sealed") == "yes" ? " (sealed)" : " (clear may pass)";
  return text;
}

void print(const Session& session, const Json& document) {
  Table policies({{"PRIORITY", Align::right},
                  {"POLICY"},
                  {"ACTION"},
                  {"TUNNEL"},
                  {"RULE"},
                  {"OUT", Align::right},
                  {"IN", Align::right},
                  {"CLEAR", Align::right},
                  {"DISCARDED", Align::right},
                  {"SELECTORS"}});
  for (const Json& policy : part(document, "policies")) {
    const Json& counters = part(policy, "counters");
    const Json& selectors = part(policy, "selectors");
    // One row a selector; what belongs to the policy stands in the first.
    std::vector<std::string> row = {field(policy, "priority"),
                                    field(policy, "name"),
                                    field(policy, "action"),
                                    field(policy, "tunnel"),
                                    rule_text(policy),
                                    field(counters, "outbound_packets"),
                                    field(counters, "inbound_packets"),
                                    field(counters, "request_clear"),
                                    field(counters, "discarded"),
                                    ""};
    for (const Json& selector : selectors) {
      row.back() = selector_text(selector);
      policies.add(row);
      row.assign(row.size(), "");
    }
    if (selectors.empty()) policies.add(row);
  }
  session.say(policies.text());
  session.say(fmt::format("\nWhat no policy matches: {}", field(document, "default")));

  session.say("\nBuilt-in exemptions:");
  Table exemptions({{"EXEMPTION"}, {"CONDITION"}});
  for (const Json& one : part(document, "exemptions")) exemptions.add({field(one, "name"), field(one, "condition")});
  session.say(exemptions.text());

  Table tunnels({{"TUNNEL"}, {"SOURCE"}, {"DESTINATION"}, {"MODE"}, {"NAT-T"}, {"UP"}});
  for (const Json& tunnel : part(document, "tunnels"))
    tunnels.add({field(tunnel, "name"), field(tunnel, "source"), field(tunnel, "destination"), field(tunnel, "mode"),
                 field(tunnel, "udp"), field(tunnel, "up")});
  if (!tunnels.empty()) session.say("\n" + tunnels.text());
}

}  // namespace

void add_policy(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("policy", "security policies");
  group->require_subcommand(1);
  CLI::App* list =
      add_command(*group, session, "list", "policies with their counts, built-in exemptions, tunnels", [&session] {
        return show(session, "/v1/policies", [&session](const Json& document) { print(session, document); });
      });
  add_socket(list, session);
}

}  // namespace linecrypt::ctl
