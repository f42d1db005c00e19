// linecryptctl sa list: the SAs that live, without their keys.
#include <fmt/format.h>

#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

std::string name_on_wire(const Json& sa) {
  const auto spi = sa.find("spi");
  if (spi != sa.end() && spi->is_number_unsigned()) return fmt::format("spi 0x{:08x}", spi->get<std::uint32_t>());
  return fmt::format("{} an {}", field(sa, "sci"), field(sa, "an"));
}

void print(const Session& session, const Json& document) {
  Table table({{"SA"},
               {"DIRECTION"},
               {"ON THE WIRE"},
               {"ALGORITHM"},
               {"ENGINE"},
               {"NUMBER", Align::right},
               {"PACKETS", Align::right},
               {"BYTES", Align::right},
               {"STATE"}});
  for (const Json& sa : part(document, "sas")) {
    const bool egress = field(sa, "direction") == "egress";
    const Json& counters = part(sa, "counters");
    std::string state = field(sa, "expired") == "yes" ? "expired" : "live";
    if (field(sa, "static_key") == "yes") state += ", static key";
    table.add({field(sa, "label"), field(sa, "direction"), name_on_wire(sa), field(sa, "algorithm"),
               field(sa, "engine"), field(sa, egress ? "next_number" : "highest_number"), field(counters, "packets"),
               field(counters, "bytes"), state});
  }
  session.say(table.empty() ? "no SA" : table.text());
}

}  // namespace

void add_sa(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("sa", "security associations");
  group->require_subcommand(1);
  CLI::App* list = add_command(
      *group, session, "list", "SAs that live: next number to send, highest one accepted",
      [&session] { return show(session, "/v1/sas", [&session](const Json& document) { print(session, document); }); });
  add_socket(list, session);
}

}  // namespace linecrypt::ctl
