// linecryptctl check: is this configuration right? Offline; with --live also whether the kernel's side of the af_packet
// ports is hardened.
#include <fmt/format.h>

#include <memory>

#include "host/config/load.hpp"
#include "tools/linecryptctl/command.hpp"

namespace linecrypt::ctl {

namespace {

struct Options {
  std::string file;
  bool live = false;
};

Json to_json(const std::vector<config::Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const config::Diagnostic& one : diagnostics)
    list.push_back(
        {{"file", one.place.file}, {"line", one.place.line}, {"column", one.place.column}, {"message", one.message}});
  return list;
}

std::string summary(const config::Config& config) {
  return fmt::format("{} port{}, {} MACsec, {} tunnel{}, {} policies", config.ports.size(),
                     config.ports.size() == 1 ? "" : "s", config.macsecs.size(), config.tunnels.size(),
                     config.tunnels.size() == 1 ? "" : "s", config.policies.size());
}

Exit run(const Session& session, const Options& options) {
  const config::Loaded loaded = config::load(options.file);
  const bool valid = loaded.errors.empty();
  Json document = {{"file", options.file},
                   {"valid", valid},
                   {"errors", to_json(loaded.errors)},
                   {"warnings", to_json(loaded.warnings)}};
  for (const config::Diagnostic& one : loaded.errors) session.say(one.text());
  for (const config::Diagnostic& one : loaded.warnings) session.say("warning: " + one.text());
  if (session.json) session.print(document);
  if (!valid)
    session.say(
        fmt::format("{}: {} error{}", options.file, loaded.errors.size(), loaded.errors.size() == 1 ? "" : "s"));
  else
    session.say(fmt::format("{}: valid ({})", options.file, summary(loaded.config)));
  return valid ? Exit::ok : Exit::failed;
}

}  // namespace

void add_check(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, session, "check", "validate a configuration; exit 1 if anything is wrong",
                                  [&session, options] { return run(session, *options); });
  command->add_option("FILE", options->file, "configuration (TOML)")->required();
}

}  // namespace linecrypt::ctl
