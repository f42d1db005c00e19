// A stand-in for a daemon that uses the keys of a configuration: claims them, says "holding", and waits for its input
// to end.
#include <cstdio>
#include <memory>
#include <variant>
#include <vector>

#include "host/config/load.hpp"
#include "host/gateway/pipeline/compose.hpp"
#include "host/keys/registry.hpp"

using namespace linecrypt;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const config::Loaded loaded = config::load(argv[1]);
  if (!loaded.errors.empty()) return 2;
  const Result<std::vector<MacAddress>> macs = gateway::offline_macs(loaded.config);
  if (!macs) return 2;
  const Result<std::vector<gateway::NamedSa>> sas = gateway::read_sas(loaded.config, *macs);
  auto registry = keys::KeyRegistry::open(loaded.config.gateway.state_directory);
  if (!sas || !registry) return 2;
  std::vector<std::unique_ptr<keys::Claim>> claims;
  for (const gateway::NamedSa& named : *sas) {
    auto claim = std::visit(
        [&](const auto& sa) { return (*registry)->claim(sa, keys::KeyLife::persistent, named.label); }, named.sa);
    if (!claim) {
      std::fprintf(stderr, "hold_key: %s\n", claim.error().message.c_str());
      return 4;
    }
    claims.push_back(std::move(*claim));
  }
  std::puts("holding");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
