// What every command of linecryptctl shares: exit codes, the session, and how results and errors reach the terminal.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace linecrypt::ctl {

enum class Exit : int {
  ok = 0,
  failed = 1,       // what was checked is not right
  usage = 2,        // wrong arguments, or a configuration or input file that cannot be used
  unreachable = 3,  // no daemon answers at the socket
  refused = 4       // a rule says no: a key in use, a key not enrolled, the daemon's refusal
};

inline constexpr const char* exit_codes_text =
    "Exit codes: 0 ok; 1 what was checked is not right; 2 wrong arguments, or a configuration or input file that "
    "cannot "
    "be used; 3 daemon not reachable; 4 refused by a rule.";

// Keeps insertion order, so that documents read as they were written.
using Json = nlohmann::ordered_json;

class Session {
 public:
  bool json = false;
  std::string socket = "/run/linecrypt/control.sock";
  Exit exit = Exit::ok;

  // One document on standard output. Bytes that are not UTF-8 are replaced.
  void print(const Json& document) const;
  // Text for people on standard output; nothing with --json.
  void say(const std::string& text) const;
  // One sentence on standard error.
  void warn(const std::string& message) const;
  // The same; with --json also {"error": {"exit", "message"}} on standard output. Returns `code`.
  Exit fail(Exit code, const std::string& message) const;
};

// A subcommand with --json; `run` gives the exit code.
CLI::App* add_command(CLI::App& parent, Session& session, const std::string& name, const std::string& description,
                      std::function<Exit()> run);
// Adds --socket to a command that asks the daemon.
void add_socket(CLI::App* command, Session& session);

// One function a command file.
void add_check(CLI::App& app, Session& session);
void add_status(CLI::App& app, Session& session);
void add_sa(CLI::App& app, Session& session);
void add_policy(CLI::App& app, Session& session);
void add_port(CLI::App& app, Session& session);
void add_counters(CLI::App& app, Session& session);
void add_selftest(CLI::App& app, Session& session);
void add_mtu(CLI::App& app, Session& session);
void add_key(CLI::App& app, Session& session);
void add_pcap(CLI::App& app, Session& session);
void add_card(CLI::App& app, Session& session);

}  // namespace linecrypt::ctl
