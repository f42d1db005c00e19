// linecryptctl card: the Alveo cards of this machine, and one of them at work. `list` reads the bus only. Where a
// daemon works with the card the others ask it (card_daemon.cpp) or refuse; else they open the card themselves.
#include "driver/card/pci/cards.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "driver/card/engine/card_engine.hpp"
#include "driver/card/engine/registers.hpp"
#include "driver/card/engine/xrt_module.hpp"
#include "host/gateway/api/card_document.hpp"
#include "tools/linecryptctl/acceptance.hpp"
#include "tools/linecryptctl/card_documents.hpp"
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

using gateway::api::card_document;
using gateway::api::health_document;
using gateway::api::registers_document;

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

Result<std::unique_ptr<card::CardEngine>> open_card(const Options& options) {
  return card::make_card_engine(card_options(options));
}

Exit show_engine(const Session& session, card::CardEngine& engine) {
  show_card(session, {{"where", "here"},
                      {"card", card_document<Json>(engine.snapshot())},
                      {"health", health_document<Json>(engine.health())}});
  return engine.state() == card::CardState::lost ? Exit::failed : Exit::ok;
}

// What only a process that owns the card can do.
Exit owned(const Session& session, const char* what) {
  return session.fail(Exit::refused,
                      fmt::format("linecryptd works with the card, and `card {}` would end every SA on it: stop "
                                  "linecryptd first, or take the card from it (offload = \"software\" in its "
                                  "configuration, and start it again)",
                                  what));
}

Exit open_and_show(Session& session, const Options& options) {
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  return show_engine(session, **engine);
}

Exit status(Session& session, const Options& options) {
  return daemon_owns_card(session, options.direct) ? daemon_card_status(session) : open_and_show(session, options);
}

// Opening a card checks its bitstream and loads it where another or none runs.
Exit load(Session& session, const Options& options) {
  return daemon_owns_card(session, options.direct) ? owned(session, "load") : open_and_show(session, options);
}

Exit reset(Session& session, const Options& options) {
  if (daemon_owns_card(session, options.direct)) return daemon_card_reset(session);
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  if (Result<void> done = (*engine)->reset(); !done) return session.fail(Exit::failed, done.error().message);
  return show_engine(session, **engine);
}

Exit selftest(Session& session, const Options& options) {
  if (daemon_owns_card(session, options.direct)) return daemon_card_selftest(session);
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  const Result<void> tested = (*engine)->self_test();
  return show_card_selftest(
      session, {{"where", "here"}, {"passed", tested.ok()}, {"reason", tested ? "" : tested.error().message}});
}

// Registers alone: the session of whoever had the card, if any, goes on.
Exit dump(Session& session, const Options& options) {
  if (daemon_owns_card(session, options.direct)) return daemon_card_dump(session);
  Result<std::shared_ptr<card::CardPort>> port = card::open_xrt_port(card_options(options));
  if (!port) return session.fail(Exit::failed, port.error().message);
  return show_card_registers(
      session, {{"where", "here"}, {"registers", registers_document<Json>(card::read_registers(**port))}});
}

// As the suite's lines have it.
std::string_view result_name(AcceptanceResult result) {
  switch (result) {
    case AcceptanceResult::passed:
      return "ok";
    case AcceptanceResult::not_run:
      return "not run";
    case AcceptanceResult::failed:
      break;
  }
  return "FAILED";
}

Exit accept(Session& session, const Options& options) {
  if (daemon_owns_card(session, options.direct)) return owned(session, "accept");
  Result<std::unique_ptr<card::CardEngine>> engine = open_card(options);
  if (!engine) return session.fail(Exit::failed, engine.error().message);
  // Before the work: a report that cannot be written should not be found out at its end.
  std::ofstream report(options.report, std::ios::trunc);
  if (!report) return session.fail(Exit::usage, fmt::format("{}: cannot be written", options.report));
  const std::vector<AcceptanceCheck> checks =
      accept_card(**engine, options.acceptance, [&session](const AcceptanceCheck& check) {
        session.say(fmt::format("{:7}  {}: {}", result_name(check.result), check.name, check.detail));
      });
  Json list = Json::array();
  std::size_t failed = 0;
  std::size_t not_run = 0;
  for (const AcceptanceCheck& check : checks) {
    failed += check.result == AcceptanceResult::failed ? 1 : 0;
    not_run += check.result == AcceptanceResult::not_run ? 1 : 0;
    const bool ran = check.result != AcceptanceResult::not_run;
    const bool passed = check.result == AcceptanceResult::passed;
    list.push_back({{"name", check.name}, {"ran", ran}, {"passed", passed}, {"detail", check.detail}});
  }
  const Json document = {{"version", LINECRYPT_VERSION_TEXT},
                         {"passed", failed == 0},
                         {"whole", options.acceptance.whole},
                         {"card", card_document<Json>((*engine)->snapshot())},
                         {"health", health_document<Json>((*engine)->health())},
                         {"checks", list}};
  report << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  report.close();
  if (!report) return session.fail(Exit::failed, fmt::format("{}: could not be written to the end", options.report));
  if (session.json) session.print(document);
  session.say(fmt::format("{} of {} checks passed, {} not run; the report is {}. It holds no key.",
                          checks.size() - not_run - failed, checks.size() - not_run, not_run, options.report));
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
  add_card_command(*group, session, options, "status", "state and health of a card", status);
  add_card_command(*group, session, options, "load", "checks a bitstream and its manifest, and loads it", load);
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
