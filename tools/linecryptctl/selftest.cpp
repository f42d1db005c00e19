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
inline constexpr Provider providers[] = {{"ipsec-mb", software::ProviderChoice::ipsec_mb},
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

}  // namespace

void add_selftest(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, session, "selftest", "known answers through each AES-GCM provider",
                                  [&session, options] { return run_here(session, *options); });
  command->add_option("--provider", options->provider, "only this one")->check(CLI::IsMember({"ipsec-mb", "openssl"}));
}

}  // namespace linecrypt::ctl
