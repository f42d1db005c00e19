// aead_differential [--cases N] [--seed S] [--body NAME]...: random bursts through our bodies, OpenSSL and IPsec-MB,
// until N cases are through or a difference is found. A case is one message through one body, sealed and opened, and
// compared with both others. `cases=0`: until SIGTERM or SIGINT.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>

#include "tests/support/aead.hpp"
#include "tests/support/aead_differential.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

void stop(int /*signal*/) {
  asked_to_stop = 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t wanted = 1'000'000;
  std::uint64_t seed = 1;
  std::vector<std::string> bodies = {"aesni 128"};
  CLI::App app("random bursts through our bodies, OpenSSL and IPsec-MB");
  app.add_option("--cases", wanted, "0: until it is stopped");
  app.add_option("--seed", seed, "names the run: the same seed gives the same messages");
  app.add_option("--body", bodies, "as in the provider's name: \"aesni 128\", \"256 bits of AES-NI\"");
  CLI11_PARSE(app, argc, argv)

  // 1. The oracles, then the bodies asked for.
  std::vector<std::shared_ptr<software::AeadProvider>> providers = {
      software::make_openssl_provider().value(), software::make_provider(software::ProviderChoice::ipsec_mb).value()};
  const std::size_t oracles = providers.size();
  for (const std::string& body : bodies) {
    for (const auto& provider : all_providers())
      if (provider->name() == "vaes (" + body + ")") providers.push_back(provider);
  }
  if (providers.size() != oracles + bodies.size()) {
    std::string names;
    for (const auto& provider : all_providers()) names += fmt::format("  {}\n", provider->name());
    fmt::print(stderr, "--body: not all of them run here; these providers do:\n{}", names);
    return 2;
  }
  for (const auto& provider : providers) fmt::print("{}\n", provider->name());

  // 2. Bursts, with new keys now and then.
  std::signal(SIGTERM, stop);
  std::signal(SIGINT, stop);
  DifferentialRig rig(providers, seed);
  DifferentialSource source(seed);
  const auto begin = std::chrono::steady_clock::now();
  auto said = begin;
  std::uint64_t cases = 0;
  std::uint64_t bursts = 0;
  const auto report = [&](const char* how) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    fmt::print("{} seed {}: {} cases in {} bursts, {:.0f} s, {:.0f} cases/s\n", how, seed, cases, bursts, seconds,
               static_cast<double>(cases) / seconds);
    std::fflush(stdout);
  };
  while (asked_to_stop == 0 && (wanted == 0 || cases < wanted)) {
    if (++bursts % 4096 == 0) rig.rekey(seed + bursts);
    const auto burst = source.next();
    if (const std::string different = rig.check(burst); !different.empty()) {
      report("DIFFERENCE");
      fmt::print("burst {}: {}\n", bursts, different);
      return 1;
    }
    cases += burst.size() * bodies.size();
    if (bursts % 1024 == 0 && std::chrono::steady_clock::now() - said > std::chrono::seconds(30)) {
      said = std::chrono::steady_clock::now();
      report("so far");
    }
  }
  report("no difference,");
  return 0;
}
