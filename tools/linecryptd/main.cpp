// linecryptd: the gateway daemon.
//
// Exit codes: 0 clean stop (or --check passed), 1 wrong use, 2 bad configuration, 3 start refused, 4 runtime failure.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "host/config/load.hpp"
#include "host/gateway/gateway.hpp"
#include "host/gateway/log.hpp"
#include "host/gateway/process.hpp"
#include "host/software/aead/openssl_memory_at_start.hpp"  // must be in main.cpp

namespace {

using linecrypt::gateway::ExitCode;

constexpr int wrong_use = 1;

void print(const std::vector<linecrypt::config::Diagnostic>& diagnostics, const char* kind) {
  for (const auto& diagnostic : diagnostics) fmt::print(stderr, "{}: {}\n", kind, diagnostic.text());
}

int run(const std::string& path, bool check_only) {
  const auto protection = linecrypt::gateway::protect_process();
  auto loaded = linecrypt::config::load(path);
  print(loaded.errors, "error");
  if (!loaded.errors.empty()) return static_cast<int>(ExitCode::bad_configuration);
  print(loaded.warnings, "warning");
  if (check_only) {
    fmt::print("{}: valid\n", path);
    return static_cast<int>(ExitCode::clean);
  }

  linecrypt::gateway::open_log(loaded.config.gateway.log_level);
  // Before any thread: all of them inherit it, and the control thread reads the signals.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  static_cast<void>(::signal(SIGPIPE, SIG_IGN));

  auto gateway = linecrypt::gateway::Gateway::start(std::move(loaded.config), protection);
  if (!gateway) {
    linecrypt::gateway::log(linecrypt::config::LogLevel::error, "start refused: {}", gateway.error().message);
    return static_cast<int>(ExitCode::start_refused);
  }
  return static_cast<int>((*gateway)->run());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"linecryptd: encrypts a private link with IPsec ESP and MACsec"};
  std::string path;
  bool check_only = false;
  app.add_option("--config", path, "Configuration file (TOML)")->required();
  app.add_flag("--check", check_only, "Only check the configuration");
  app.footer(
      "Exit codes: 0 clean stop or valid configuration, 1 wrong use, 2 bad configuration, 3 start refused, "
      "4 runtime failure");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : wrong_use;
  }
  try {
    return run(path, check_only);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(ExitCode::runtime_failure);
  }
}
