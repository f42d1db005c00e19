#include "host/config/load.hpp"

#include <array>
#include <optional>

#include "host/config/draft.hpp"
#include "host/config/permissions.hpp"
#include "host/config/tree.hpp"

namespace linecrypt::config {
namespace {

using Reader = void (*)(Section, Draft&);

struct SectionKind {
  std::string_view key;
  std::string_view title;
  std::size_t most;
  Reader read;
};
constexpr std::array<SectionKind, 6> section_kinds{{
    {"port", "[[port]]", 64, read_port},
    {"macsec", "[[macsec]]", 64, read_macsec},
    {"tunnel", "[[tunnel]]", 65536, read_tunnel},
    {"policy", "[[policy]]", 65536, read_policy},
    {"route", "[[route]]", 65536, read_route},
    {"neighbour", "[[neighbour]]", 65536, read_neighbour},
}};

// What only a file on disk can have wrong (DESIGN 3.10).
struct OnDisk {
  bool others_may_read = false;
};

void check_permissions(const Draft& draft, OnDisk disk, Report& report) {
  const auto at = [&](std::string_view key) {
    return draft.gateway != nullptr ? draft.gateway->position_of(key) : Position{};
  };
  if (const auto allowed = check_state_directory(draft.config.gateway.state_directory); !allowed)
    report.error(at("state_directory"), allowed.error().message);
  if (draft.config.gateway.allow_inline_keys && disk.others_may_read)
    report.error(
        at("allow_inline_keys"),
        "allow_inline_keys = true in a file that others than its owner may read; allowed there: mode 0600 or 0400");
}

// What is wrong with the whole is looked for also where a section is wrong: a person wants to see all of it at once.
Loaded read(std::string_view text, Report& report, std::optional<OnDisk> disk) {
  Draft draft;
  const auto tree = read_tree(text, report);
  if (tree) {
    Section root(report, *tree, "the file");
    // 1. [gateway] first, wherever it stands: it says what the others may hold.
    if (auto gateway = root.subtable("gateway", "[gateway]")) read_gateway(std::move(*gateway), draft);
    if (auto card = root.subtable("card", "[card]")) read_card(std::move(*card), draft);
    for (const SectionKind& kind : section_kinds)
      for (Section& section : root.tables(kind.key, kind.title, 0, kind.most)) kind.read(std::move(section), draft);
    root.finish();
    // 2. References, duplicates and contradictions between sections.
    check_card(draft, report);
    check_ports(draft, report);
    check_macsecs(draft, report);
    check_tunnels(draft, report);
    check_policies(draft, report);
    check_routes(draft, report);
    check_keys(draft, report);
    // 3. Owners and modes.
    if (disk) check_permissions(draft, *disk, report);
  }
  Loaded loaded;
  report.finish(loaded);
  loaded.config = std::move(draft.config);
  return loaded;
}

}  // namespace

Loaded parse(std::string_view text, const std::string& name) {
  Report report(name);
  return read(text, report, std::nullopt);
}

Loaded load(const std::string& path) {
  Report report(path);
  ConfigurationText text = read_configuration(path);
  for (const std::string& problem : text.problems) report.error({}, problem);
  if (!text.readable) {
    Loaded loaded;
    report.finish(loaded);
    return loaded;
  }
  return read(text.bytes, report, OnDisk{text.others_may_read});
}

}  // namespace linecrypt::config
