// linecryptctl selftest: known answers through each AES-GCM provider, in this process or in the daemon.
#include <fmt/format.h>

#include <memory>

#include "host/software/engine.hpp"
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

struct Options {
  std::string provider;  // empty: each
  bool daemon = false;
};

struct Provider {
  const char* word;
  software::ProviderChoice choice;
};
inline constexpr Provider providers[] = {{"vaes", software::ProviderChoice::vaes},
                                         {"ipsec-mb", software::ProviderChoice::ipsec_mb},
                                         {"openssl", software::ProviderChoice::openssl}};

struct Outcome {
  std::string provider;
  std::string version;
  std::string result;  // "passed", "failed", "not available"
  std::string reason;
};

Outcome test(const Provider& provider) {
  Outcome outcome{provider.word, "", "not available", ""};
  // 1. Can this CPU run it at all?
  if (Result<std::unique_ptr<software::AeadProvider>> there = software::make_provider(provider.choice); !there) {
    outcome.reason = there.error().message;
    return outcome;
  }
  // 2. The engine over it.
  Result<std::unique_ptr<Engine>> engine = software::make_software_engine({provider.choice});
  outcome.result = "failed";
  if (!engine) {
    outcome.reason = engine.error().message;
    return outcome;
  }
  outcome.version = (*engine)->capabilities().provider;
  if (Result<void> tested = (*engine)->self_test(); !tested)
    outcome.reason = tested.error().message;
  else
    outcome.result = "passed";
  return outcome;
}

Exit run_here(const Session& session, const Options& options) {
  Table table({{"PROVIDER"}, {"RESULT"}, {"WHAT RAN"}, {"REASON"}});
  Json list = Json::array();
  bool all = true;
  bool any = false;
  for (const Provider& provider : providers) {
    const bool asked = options.provider == provider.word;
    if (!options.provider.empty() && !asked) continue;
    const Outcome outcome = test(provider);
    any = any || outcome.result == "passed";
    // A provider that this CPU lacks is no fault unless it was asked for.
    all = all && (outcome.result == "passed" || (outcome.result == "not available" && !asked));
    table.add({outcome.provider, outcome.result, outcome.version, outcome.reason});
    list.push_back({{"provider", outcome.provider},
                    {"result", outcome.result},
                    {"version", outcome.version},
                    {"reason", outcome.reason}});
  }
  const bool passed = all && any;
  if (session.json) session.print({{"where", "here"}, {"passed", passed}, {"providers", list}});
  session.say(table.text());
  return passed ? Exit::ok : Exit::failed;
}

Exit run_in_daemon(Session& session) {
  const Answer answer = post(session, "/v1/selftest");
  if (const auto* refusal = std::get_if<Refusal>(&answer)) return session.fail(refusal->exit, refusal->message);
  const Json& document = std::get<Json>(answer);
  if (session.json) session.print(document);
  const bool passed = is_true(document, "passed");
  Table table({{"ENGINE"}, {"RESULT"}, {"WHAT RAN"}, {"REASON"}});
  table.add(
      {field(document, "engine"), passed ? "passed" : "failed", field(document, "provider"), field(document, "error")});
  session.say(table.text());
  return passed ? Exit::ok : Exit::failed;
}

}  // namespace

void add_selftest(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      app, session, "selftest", "known answers through each AES-GCM provider",
      [&session, options] { return options->daemon ? run_in_daemon(session) : run_here(session, *options); });
  CLI::Option* provider = command->add_option("--provider", options->provider, "only this one, in this process");
  provider->check(CLI::IsMember({"vaes", "ipsec-mb", "openssl"}));
  command->add_flag("--daemon", options->daemon, "in the running daemon, on the engine it uses")->excludes(provider);
  add_socket(command, session);
}

}  // namespace linecrypt::ctl
