// linecryptctl check: is this configuration right? Offline; with --live also whether the kernel's side of the running
// daemon's ports is as it must be.
#include <fmt/format.h>

#include <memory>

#include "host/config/load.hpp"
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

struct Options {
  std::string file;
  bool live = false;
  bool socket_given = false;
};

Json to_json(const std::vector<config::Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const config::Diagnostic& one : diagnostics)
    list.push_back(
        {{"file", one.place.file}, {"line", one.place.line}, {"column", one.place.column}, {"message", one.message}});
  return list;
}

std::string counted(std::size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string summary(const config::Config& config) {
  return fmt::format("{}, {} MACsec, {}, {}", counted(config.ports.size(), "port", "ports"), config.macsecs.size(),
                     counted(config.tunnels.size(), "tunnel", "tunnels"),
                     counted(config.policies.size(), "policy", "policies"));
}

// Rules about the kernel as the daemon that owns the ports finds them now.
Exit run_live(Session& session, Json& document) {
  const Answer answer = get(session, "/v1/live");
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    document["live"] = {{"error", refusal->message}};
    return refusal->exit;
  }
  const Json& live = std::get<Json>(answer);
  document["live"] = live;
  return is_true(live, "ok") ? Exit::ok : Exit::failed;
}

void print_live(const Session& session, const Json& live) {
  Table table({{"PORT"}, {"NETDEV"}, {"RULE"}, {"STATE"}, {"FOUND"}});
  for (const Json& rule : part(live, "rules"))
    table.add(
        {field(rule, "port"), field(rule, "netdev"), field(rule, "rule"), field(rule, "state"), field(rule, "found")});
  session.say("\n" + table.text());
}

// 1. The file by itself. 2. With --live the daemon's answer, even where the file was changed for the worse since.
Exit run(Session& session, const Options& options) {
  const config::Loaded loaded = config::load(options.file);
  const bool valid = loaded.errors.empty();
  Json document = {{"file", options.file},
                   {"valid", valid},
                   {"errors", to_json(loaded.errors)},
                   {"warnings", to_json(loaded.warnings)}};
  for (const config::Diagnostic& one : loaded.errors) session.say(one.text());
  for (const config::Diagnostic& one : loaded.warnings) session.say("warning: " + one.text());
  if (valid)
    session.say(fmt::format("{}: valid ({})", options.file, summary(loaded.config)));
  else
    session.say(fmt::format("{}: {}", options.file, counted(loaded.errors.size(), "error", "errors")));
  Exit live = Exit::ok;
  if (options.live) {
    if (valid && !options.socket_given) session.socket = loaded.config.gateway.control_socket;
    live = run_live(session, document);
    if (document["live"].contains("error"))
      session.warn(field(document["live"], "error"));
    else
      print_live(session, document["live"]);
  }
  if (session.json) session.print(document);
  return valid ? live : Exit::failed;
}

}  // namespace

void add_check(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, session, "check", "validate a configuration; exit 1 if anything is wrong",
                                  [&session, options] { return run(session, *options); });
  command->add_option("FILE", options->file, "configuration (TOML)")->required();
  command->add_flag("--live", options->live,
                    "also ask the daemon whether the kernel's side of its ports is as it must be");
  command->add_option_function<std::string>(
      "--socket",
      [&session, options](const std::string& path) {
        session.socket = path;
        options->socket_given = true;
      },
      "the daemon's control socket; default: the configuration's");
}

}  // namespace linecrypt::ctl
