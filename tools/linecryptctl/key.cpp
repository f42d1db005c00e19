// linecryptctl key: the static keys of a configuration in this host's key registry. A key goes by its name, never by
// its bytes.
#include <fmt/format.h>

#include <memory>

#include "host/gateway/pipeline/compose.hpp"
#include "host/keys/registry.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/configuration.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

struct Options {
  std::string file;
  std::string name;
  std::uint64_t next = 1;
  std::string state_directory = "/var/lib/linecrypt";
};

// "tunnel site-b out" goes by that, by "tunnel site-b" and by "site-b".
bool goes_by(const std::string& label, const std::string& name) {
  if (name.empty() || label == name) return true;
  const auto starts = [&](const std::string& head) { return label.rfind(head, 0) == 0; };
  return starts(name + " ") || starts("tunnel " + name + " ") || starts("macsec " + name + " ");
}

// One registry a call; a state directory that cannot be used is a configuration that cannot be used.
std::unique_ptr<keys::KeyRegistry> open_registry(Session& session, const std::string& directory) {
  Result<std::unique_ptr<keys::KeyRegistry>> registry = keys::KeyRegistry::open(directory);
  if (registry) return std::move(registry).value();
  session.exit = session.fail(Exit::refused, registry.error().message);
  return nullptr;
}

std::string hex_head(const NumberSpaceId& space) {
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += fmt::format("{:02x}", space.bytes[i]);
  return out;
}

Exit enroll(Session& session, const Options& options) {
  const std::optional<config::Config> config = load_configuration(session, options.file);
  if (!config) return session.exit;
  const Result<std::vector<MacAddress>> macs = gateway::offline_macs(*config);
  if (!macs) return session.fail(Exit::usage, macs.error().message);
  Result<std::vector<gateway::NamedSa>> sas = gateway::read_sas(*config, *macs);
  if (!sas) return session.fail(Exit::usage, sas.error().message);
  const std::unique_ptr<keys::KeyRegistry> registry = open_registry(session, config->gateway.state_directory);
  if (!registry) return session.exit;

  Table table({{"KEY"}, {"RESULT"}});
  Json list = Json::array();
  std::size_t refused = 0;
  for (const gateway::NamedSa& named : *sas) {
    if (!goes_by(named.label, options.name)) continue;
    const Result<void> done =
        std::visit([&](const auto& sa) { return registry->enroll(sa, named.label, options.next); }, named.sa);
    if (!done) ++refused;
    table.add({named.label, done ? fmt::format("enrolled, next number {}", options.next) : done.error().message});
    list.push_back(
        {{"name", named.label}, {"enrolled", done.ok()}, {"reason", done ? Json() : Json(done.error().message)}});
  }
  if (list.empty()) {
    std::string known;
    for (const gateway::NamedSa& named : *sas) known += "\n  " + named.label;
    return session.fail(Exit::usage, options.name.empty()
                                         ? fmt::format("{}: no static key in it", options.file)
                                         : fmt::format("no key goes by '{}'; allowed are{}", options.name, known));
  }
  if (session.json)
    session.print({{"state_directory", config->gateway.state_directory}, {"keys", list}, {"refused", refused}});
  session.say(table.text());
  return refused == 0 ? Exit::ok : Exit::refused;
}

// As given, or the configuration's; none after an error that was said.
std::optional<std::string> state_directory(Session& session, const Options& options) {
  if (options.file.empty()) return options.state_directory;
  const std::optional<config::Config> config = load_configuration(session, options.file);
  if (!config) return std::nullopt;
  return config->gateway.state_directory;
}

Exit list(Session& session, const Options& options) {
  const std::optional<std::string> directory = state_directory(session, options);
  if (!directory) return session.exit;
  const std::unique_ptr<keys::KeyRegistry> registry = open_registry(session, *directory);
  if (!registry) return session.exit;
  Table table(
      {{"KEY"}, {"DIRECTION"}, {"STATE"}, {"SPACE"}, {"EGRESS NEXT", Align::right}, {"INGRESS MARK", Align::right}});
  Json list = Json::array();
  for (const keys::SpaceState& space : registry->spaces()) {
    const bool egress = space.direction == Direction::egress;
    const char* direction = egress ? "egress" : "ingress";
    table.add({space.label, direction, space.enrolled ? "enrolled" : "forgotten", hex_head(space.space),
               egress ? std::to_string(space.egress_next) : "-", egress ? "-" : std::to_string(space.ingress_mark)});
    list.push_back({{"name", space.label},
                    {"direction", direction},
                    {"enrolled", space.enrolled},
                    {"space", hex_head(space.space)},
                    {"egress_next", space.egress_next},
                    {"ingress_mark", space.ingress_mark}});
  }
  if (session.json) session.print({{"state_directory", *directory}, {"keys", list}});
  session.say(table.empty() ? fmt::format("no key is enrolled in {}", *directory) : table.text());
  return Exit::ok;
}

// The configuration is not needed: a key may outlive the file that named it.
Exit forget(Session& session, const Options& options) {
  const std::optional<std::string> directory = state_directory(session, options);
  if (!directory) return session.exit;
  const std::unique_ptr<keys::KeyRegistry> registry = open_registry(session, *directory);
  if (!registry) return session.exit;
  Table table({{"KEY"}, {"RESULT"}});
  Json list = Json::array();
  std::size_t refused = 0;
  std::string known;
  for (const keys::SpaceState& space : registry->spaces()) {
    if (!space.enrolled) continue;
    known += "\n  " + space.label;
    if (!goes_by(space.label, options.name)) continue;
    const Result<void> done = registry->forget(space.space);
    if (!done) ++refused;
    table.add({space.label, done ? "forgotten" : done.error().message});
    list.push_back(
        {{"name", space.label}, {"forgotten", done.ok()}, {"reason", done ? Json() : Json(done.error().message)}});
  }
  if (list.empty())
    return session.fail(Exit::usage, fmt::format("no enrolled key goes by '{}'; enrolled in {} are{}", options.name,
                                                 *directory, known.empty() ? " none" : known));
  if (session.json) session.print({{"state_directory", *directory}, {"keys", list}, {"refused", refused}});
  session.say(table.text());
  return refused == 0 ? Exit::ok : Exit::refused;
}

// For commands that need the registry and no configuration.
void add_directory(CLI::App* command, const std::shared_ptr<Options>& options) {
  CLI::Option* directory =
      command->add_option("--state-directory", options->state_directory, "the key registry's directory")
          ->capture_default_str();
  command->add_option("--config", options->file, "take the state directory from this configuration")
      ->excludes(directory);
}

}  // namespace

void add_key(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("key", "static keys: enroll, list, forget");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* enroll_command =
      add_command(*group, session, "enroll", "record the static keys of a configuration, once, before their first use",
                  [&session, options] { return enroll(session, *options); });
  enroll_command->add_option("FILE", options->file, "configuration (TOML)")->required();
  enroll_command->add_option("NAME", options->name, "only this tunnel, MACsec port or SA (as `key list` names it)");
  enroll_command
      ->add_option("--next", options->next,
                   "first number to send; above 1 only for a key that was used elsewhere up to there")
      ->check(CLI::PositiveNumber);

  CLI::App* list_command = add_command(*group, session, "list", "enrolled keys and where their numbers stand",
                                       [&session, options] { return list(session, *options); });
  add_directory(list_command, options);

  CLI::App* forget_command = add_command(*group, session, "forget", "refuse a key until it is enrolled again",
                                         [&session, options] { return forget(session, *options); });
  forget_command->add_option("NAME", options->name, "tunnel, MACsec port or SA (as `key list` names it)")->required();
  add_directory(forget_command, options);
}

}  // namespace linecrypt::ctl
