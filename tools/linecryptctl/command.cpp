#include "tools/linecryptctl/command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

namespace linecrypt::ctl {

namespace {

// Names and file paths come from outside: a terminal must not obey them.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

}  // namespace

void Session::print(const Json& document) const {
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void Session::say(const std::string& text) const {
  if (!json) fmt::print("{}\n", printable(text));
}

void Session::warn(const std::string& message) const {
  fmt::print(stderr, "linecryptctl: {}\n", printable(message));
}

Exit Session::fail(Exit code, const std::string& message) const {
  warn(message);
  if (json) print({{"error", {{"exit", static_cast<int>(code)}, {"message", message}}}});
  return code;
}

CLI::App* add_command(CLI::App& parent, Session& session, const std::string& name, const std::string& description,
                      std::function<Exit()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->add_flag("--json", session.json, "one JSON document instead of text");
  command->footer(exit_codes_text);
  command->callback([&session, run = std::move(run)] { session.exit = run(); });
  return command;
}

void add_socket(CLI::App* command, Session& session) {
  command->add_option("--socket", session.socket, "the daemon's control socket")->capture_default_str();
}

}  // namespace linecrypt::ctl
