// Any text as a configuration: parse() ends, keeps to its contract, and what it accepts is whole.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "host/config/load.hpp"

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

bool one_line(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20) return false;
  return !text.empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linecrypt::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = parse(text, "fuzz.toml");

  // 1. Messages: one line each, in the file's order.
  for (const auto* list : {&loaded.errors, &loaded.warnings}) {
    std::uint32_t line = 0;
    for (const Diagnostic& diagnostic : *list) {
      expect(one_line(diagnostic.text()));
      expect(diagnostic.place.line >= line);
      line = diagnostic.place.line;
    }
  }
  if (!loaded.errors.empty()) return 0;

  // 2. What is accepted is whole: every reference leads somewhere, every tunnel has its SAs and a policy.
  const Config& config = loaded.config;
  expect(!config.ports.empty());
  const auto is_port = [&](const std::string& name) {
    for (const Port& port : config.ports)
      if (port.name == name) return true;
    return false;
  };
  for (const Macsec& macsec : config.macsecs) {
    expect(is_port(macsec.port));
    expect(!macsec.transmit_sas.empty() && !macsec.receive_scs.empty());
  }
  for (const Route& route : config.routes) expect(is_port(route.port));
  for (const Neighbour& neighbour : config.neighbours) expect(is_port(neighbour.port));
  for (const PortAddress& address : config.addresses) expect(is_port(address.port));
  for (const Tunnel& tunnel : config.tunnels) {
    expect(config.gateway.static_keys == StaticKeys::accept_risk);
    expect(!tunnel.selectors.empty() && !tunnel.inbound.empty() && tunnel.inbound.size() <= 8);
    expect(tunnel.outbound.prototype.spi >= 256);
    bool carried = false;
    for (const PolicyConfig& policy : config.policies) carried = carried || policy.policy.tunnel == tunnel.name;
    expect(carried);
  }
  // 3. Clear traffic only where it was said twice.
  for (const PolicyConfig& entry : config.policies) {
    using linecrypt::Requirement;
    const bool request = entry.policy.outbound == Requirement::request || entry.policy.inbound == Requirement::request;
    expect(request == entry.policy.allow_clear);
    expect(!entry.policy.selectors.empty());
  }
  return 0;
}
