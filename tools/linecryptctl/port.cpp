// linecryptctl port list: the gateway's ports.
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

void print(const Session& session, const Json& document) {
  Table table({{"PORT"},
               {"SIDE"},
               {"DEVICE"},
               {"MAC"},
               {"MTU", Align::right},
               {"LINK"},
               {"MACSEC"},
               {"COMPANION"},
               {"RECEIVED", Align::right},
               {"TRANSMITTED", Align::right},
               {"MISSED", Align::right}});
  for (const Json& port : part(document, "ports")) {
    const Json& counters = part(port, "counters");
    const Json& device = part(port, "device_counters");
    table.add({field(port, "name"), field(port, "side"), field(port, "device"), field(port, "mac"), field(port, "mtu"),
               field(port, "link"), field(port, "macsec"), field(port, "companion"), field(counters, "received_frames"),
               field(counters, "transmitted_frames"), field(device, "imissed")});
  }
  session.say(table.text());
}

}  // namespace

void add_port(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("port", "ports");
  group->require_subcommand(1);
  CLI::App* list = add_command(*group, session, "list", "ports with their devices and frames", [&session] {
    return show(session, "/v1/ports", [&session](const Json& document) { print(session, document); });
  });
  add_socket(list, session);
}

}  // namespace linecrypt::ctl
