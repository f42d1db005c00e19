// linecryptctl card: the Alveo cards of this machine, and one of them at work. `list` reads the bus only; the others
// open the card themselves, and refuse while a daemon works with it.
#include "driver/card/pci/cards.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "driver/card/engine/card_engine.hpp"
#include "tools/linecryptctl/acceptance.hpp"
#include "tools/linecryptctl/card_registers.hpp"
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

constexpr const char* default_bitstream = "/usr/lib/linecrypt/card.xclbin";

struct Options {
  std::string bdf;
  std::uint32_t index = 0;
  std::string bitstream = default_bitstream;
  std::string mode;
  std::string trusted_keys;
  bool allow_shared_node = false;
  bool direct = false;
  std::string report = "linecrypt-card-report.json";
  AcceptanceOptions acceptance;
};

abi::CardMode mode_of(const std::string& word) {
  if (word == "esp") return abi::CardMode::esp;
  if (word == "macsec") return abi::CardMode::macsec;
  if (word == "both") return abi::CardMode::both;
  return abi::CardMode::none;
}

card::CardOptions card_options(const Options& options) {
  card::CardOptions made;
  made.bdf = options.bdf;
  made.device = options.index;
  made.xclbin = options.bitstream;
  made.mode = mode_of(options.mode);
  made.trusted_keys = options.trusted_keys;
  made.allow_shared_node = options.allow_shared_node;
  return made;
}

std::string link_text(const std::optional<card::PcieLink>& link) {
  return link ? fmt::format("gen{} x{}", link->speed, link->width) : "-";
}

Json link_json(const std::optional<card::PcieLink>& link) {
  return link ? Json{{"generation", link->speed}, {"width", link->width}} : Json(nullptr);
}

// ---- list ----

Exit list(const Session& session) {
  Result<std::vector<card::FoundCard>> found = card::find_cards();
  if (!found) return session.fail(Exit::failed, found.error().message);
  Table table({{"CARD"}, {"ADDRESS"}, {"DRIVER"}, {"LINK"}, {"NUMA", Align::right}, {"USABLE"}, {"WHY NOT, NOTES"}});
  Json cards = Json::array();
  for (const card::FoundCard& one : *found) {
    const bool usable = one.problem == card::CardProblem::none;
    const std::string address = one.user.empty() ? one.management : one.user;
    table.add({one.name, address, one.driver.empty() ? "-" : one.driver,
               link_text(one.link) + (one.capability ? " of " + link_text(one.capability) : ""),
               one.numa_node < 0 ? "-" : fmt::to_string(one.numa_node), usable ? "yes" : "no",
               one.why.empty() ? one.note : one.why});
    cards.push_back({{"card", one.card},
                     {"name", one.name},
                     {"user", one.user},
                     {"management", one.management},
                     {"driver", one.driver},
                     {"shell", one.shell},
                     {"numa_node", one.numa_node < 0 ? Json(nullptr) : Json(one.numa_node)},
                     {"link", link_json(one.link)},
                     {"capability", link_json(one.capability)},
                     {"usable", usable},
                     {"problem", card::name(one.problem)},
                     {"why", one.why},
                     {"note", one.note}});
  }
  if (session.json) session.print({{"cards", cards}});
  session.say(table.empty() ? "no Alveo card on this machine's PCI bus" : table.text());
  return Exit::ok;
}

// ---- a card opened here ----

Json snapshot_json(const card::CardSnapshot& s) {
  const auto direction = [](const card::CardSnapshot::Direction& d) {
    return Json{{"batches", d.batches}, {"jobs", d.jobs}, {"bytes", d.bytes}, {"in_flight", d.in_flight}};
  };
  return {{"state", card::name(s.state)},
          {"reason", s.reason},
          {"name", s.name},
          {"address", s.bdf},
          {"bitstream_uuid", s.xclbin_uuid},
          {"abi", fmt::format("{}.{}", s.abi_version >> 16U, s.abi_version & 0xffffU)},
          {"mode", card::name(s.mode)},
          {"sas", s.sa_count},
          {"emulated", s.emulated},
          {"note", s.note},
          {"sessions", s.sessions},
          {"losses", s.losses},
          {"lost_jobs", s.lost_jobs},
          {"egress", direction(s.direction[0])},
          {"ingress", direction(s.direction[1])}};
}

// XRT answers in JSON where it answers at all.
Json health_part(const std::string& text) {
  if (text.empty()) return nullptr;
  Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_discarded() ? Json(text) : parsed;
}

Json health_json(const card::CardHealth& health) {
  return {{"reachable", health.reachable},
          {"thermal", health_part(health.thermal)},
          {"electrical", health_part(health.electrical)},
          {"memory", health_part(health.memory)},
          {"pcie", health_part(health.pcie_info)},
          {"offline", health.offline}};
}

std::string to_text(const Json& document) {
  const Json& card = part(document, "card");
  const Json& health = part(document, "health");
  Table table({{"CARD"}, {field(card, "name")}});
  for (const char* name : {"state", "reason", "address", "bitstream_uuid", "abi", "mode", "sas", "emulated", "note",
                           "sessions", "losses", "lost_jobs"})
    if (field(card, name) != "") table.add({name, field(card, name)});
  table.add({"registers answer", field(health, "reachable")});
  for (const char* name : {"thermal", "electrical", "memory", "pcie", "offline"}) {
    const Json& value = part(health, name);
    const std::string text = value.is_object() && !value.empty() ? value.dump() : field(health, name);
    if (!text.empty()) table.add({name, text == "-" ? "not told by this card" : text});
  }
  return table.text();
}

Result<std::unique_ptr<card::CardEngine>> open_card(const Options& options) {
  return card::make_card_engine(card_options(options));
}

Exit show_card(const Session& session, card::CardEngine& engine) {
  const Json document = {
      {"where", "here"}, {"card", snapshot_json(engine.snapshot())}, {"health", health_json(engine.health())}};
  if (session.json)
    session.print(document);
  else
    session.say(to_text(document));
  return engine.state() == card::CardState::lost ? Exit::failed : Exit::ok;
}

// Does a daemon answer that works with a card? It owns it then: opening the card here would end every SA on it.
bool daemon_owns_card(const Session& session, const Options& options) {
  if (options.direct) return false;
  const Answer answer = get(session, "/v1/status");
  const Json* const status = std::get_if<Json>(&answer);
  return status != nullptr && part(part(*status, "offload"), "failover").is_object() &&
         !part(part(*status, "offload"), "failover").empty();
}

Exit owned(const Session& session) {
  return session.fail(Exit::refused,
                      "linecryptd works with the card, and this would end every SA on it: stop linecryptd first. "
                      "`linecryptctl status` tells of the card meanwhile, `linecryptctl selftest --daemon` tests it");
}

// status and load: opening a card checks its bitstream and loads it where another or none runs.
Exit open_and_show(Session& session, const Options& options) {
  if (daemon_owns_card(session, options)) return owned(session);
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  return show_card(session, **engine);
}

Exit reset(Session& session, const Options& options) {
  if (daemon_owns_card(session, options)) return owned(session);
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  if (Result<void> done = (*engine)->reset(); !done) return session.fail(Exit::failed, done.error().message);
  return show_card(session, **engine);
}

Exit selftest(Session& session, const Options& options) {
  if (daemon_owns_card(session, options)) return owned(session);
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  const Result<void> tested = (*engine)->self_test();
  if (session.json)
    session.print({{"where", "here"}, {"passed", tested.ok()}, {"reason", tested ? "" : tested.error().message}});
  session.say(tested ? "the card gives every known answer" : "the card fails: " + tested.error().message);
  return tested ? Exit::ok : Exit::failed;
}

Exit dump(Session& session, const Options& options) {
  if (daemon_owns_card(session, options)) return owned(session);
  Result<std::vector<RegisterValue>> registers = read_registers(card_options(options));
  if (!registers) return session.fail(Exit::failed, registers.error().message);
  Table table({{"REGISTER"}, {"OFFSET", Align::right}, {"VALUE", Align::right}});
  Json list = Json::array();
  for (const RegisterValue& one : *registers) {
    table.add({one.name, fmt::format("{:#06x}", one.offset), fmt::format("{:#010x}", one.value)});
    list.push_back({{"name", one.name}, {"offset", one.offset}, {"value", one.value}});
  }
  if (session.json) session.print({{"where", "here"}, {"registers", list}});
  session.say(table.text());
  return Exit::ok;
}

Exit accept(Session& session, const Options& options) {
  if (daemon_owns_card(session, options)) return owned(session);
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  // Before the work: a report that cannot be written should not be found out at its end.
  std::ofstream report(options.report, std::ios::trunc);
  if (!report) return session.fail(Exit::usage, fmt::format("{}: cannot be written", options.report));
  const std::vector<AcceptanceCheck> checks =
      accept_card(**engine, options.acceptance, [&session](const AcceptanceCheck& check) {
        session.say(fmt::format("{}  {}: {}", check.passed ? "ok    " : "FAILED", check.name, check.detail));
      });
  Json list = Json::array();
  std::size_t failed = 0;
  for (const AcceptanceCheck& check : checks) {
    failed += check.passed ? 0 : 1;
    list.push_back({{"name", check.name}, {"passed", check.passed}, {"detail", check.detail}});
  }
  const Json document = {{"version", LINECRYPT_VERSION_TEXT},          {"passed", failed == 0},
                         {"whole", options.acceptance.whole},          {"card", snapshot_json((*engine)->snapshot())},
                         {"health", health_json((*engine)->health())}, {"checks", list}};
  report << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  report.close();
  if (!report) return session.fail(Exit::failed, fmt::format("{}: could not be written to the end", options.report));
  if (session.json) session.print(document);
  session.say(fmt::format("{} of {} checks passed; the report is {}. It holds no key.", checks.size() - failed,
                          checks.size(), options.report));
  return failed == 0 ? Exit::ok : Exit::failed;
}

CLI::App* add_card_command(CLI::App& parent, Session& session, const std::shared_ptr<Options>& options,
                           const char* name, const char* description, Exit (*run)(Session&, const Options&)) {
  CLI::App* command =
      add_command(parent, session, name, description, [&session, options, run] { return run(session, *options); });
  add_socket(command, session);
  command->add_option("--card", options->bdf, "PCI address of the card's user function, as `card list` shows it");
  command->add_option("--index", options->index, "or the card's number in XRT's order")->capture_default_str();
  command->add_option("--bitstream", options->bitstream, "the xclbin; its manifest stands beside it")
      ->capture_default_str();
  command->add_option("--mode", options->mode, "what the bitstream must do")
      ->check(CLI::IsMember({"esp", "macsec", "both"}));
  command->add_option("--trusted-keys", options->trusted_keys,
                      "public key (PEM) that must have signed the manifest; without it none must");
  command->add_flag("--allow-shared-node", options->allow_shared_node, "go on though others may open the card's node");
  command->add_flag("--direct", options->direct, "do not ask a daemon; where one owns the card, this ends its SAs");
  return command;
}

}  // namespace

void add_card(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("card", "Alveo cards: what is there, what is wrong with it, and its tests");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();
  add_command(*group, session, "list", "the cards on the PCI bus and why one cannot be used",
              [&session] { return list(session); });
  add_card_command(*group, session, options, "status", "state and health of a card", open_and_show);
  add_card_command(*group, session, options, "load", "checks a bitstream and its manifest, and loads it",
                   open_and_show);
  add_card_command(*group, session, options, "reset", "halts the card and sweeps every table", reset);
  add_card_command(*group, session, options, "selftest", "known answers through the card", selftest);
  add_card_command(*group, session, options, "dump", "registers of the card, for a fault report (no keys)", dump);
  CLI::App* command = add_card_command(*group, session, options, "accept",
                                       "the whole suite against the software engine; writes a report", accept);
  command->add_option("--report", options->report, "where the report goes")->capture_default_str();
  command->add_flag("--whole", options->acceptance.whole, "every length from 64 to 9216 bytes");
  command->add_option("--packets", options->acceptance.packets, "frames of each throughput measurement")
      ->check(CLI::Range(1U, 100'000'000U))
      ->capture_default_str();
  command->add_option("--installs", options->acceptance.installs, "SAs of the rate of installing")
      ->check(CLI::Range(1U, 100'000'000U))
      ->capture_default_str();
}

}  // namespace linecrypt::ctl
