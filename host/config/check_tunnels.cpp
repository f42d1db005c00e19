// Tunnels and policies against each other and against the ports.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/config/draft.hpp"
#include "host/config/unique.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {
namespace {

Position place_of(const Value& tunnel, const EspSaConfig& sa) {
  // The SA's own table: its spi where it has one.
  const auto in = [&](const Value& table) -> std::optional<Position> {
    if (table.at.line == sa.place.line && table.at.column == sa.place.column) return table.position_of("spi");
    return std::nullopt;
  };
  if (const Value* const outbound = tunnel.find("outbound"))
    if (const auto at = in(*outbound)) return *at;
  if (const Value* const inbound = tunnel.find("inbound"))
    for (const Value& table : inbound->items)
      if (const auto at = in(table)) return *at;
  return {sa.place.line, sa.place.column};
}

// Outer addresses live on a port; they may also come from the kernel, so a miss is a warning, and only where the file
// names addresses of this family at all.
void check_local_address(const Draft& draft, std::size_t i, Report& report) {
  const IpAddress& local = draft.config.tunnels[i].outbound.prototype.source;
  const auto& addresses = draft.config.addresses;
  const bool family_named = std::any_of(addresses.begin(), addresses.end(),
                                        [&](const PortAddress& a) { return a.address.family == local.family; });
  const bool found =
      std::any_of(addresses.begin(), addresses.end(), [&](const PortAddress& a) { return a.address == local; });
  if (family_named && !found && draft.tunnels[i]->find("local") != nullptr)
    report.warning(
        draft.tunnels[i]->position_of("local"),
        fmt::format("local {} is in no port's addresses, the kernel must give it to a companion", local.text()));
}

void check_static_keys(const Draft& draft, Report& report) {
  if (draft.tunnels.empty()) return;
  const Gateway& gateway = draft.config.gateway;
  if (gateway.static_keys == StaticKeys::accept_risk) {
    report.warning(draft.gateway->position_of("static_keys"),
                   "static_keys = \"accept-risk\": RFC 4106 section 2 and RFC 8221 forbid ESP keys that outlive a "
                   "process; their numbers depend on the state directory");
    return;
  }
  const Position at = draft.gateway != nullptr && draft.gateway->find("static_keys") != nullptr
                          ? draft.gateway->position_of("static_keys")
                          : draft.tunnels.front()->at;
  report.error(at,
               "the keys of a [[tunnel]] are static, which RFC 4106 section 2 and RFC 8221 forbid; needed to use "
               "them all the same: static_keys = \"accept-risk\" in [gateway]");
}

// The number of SAs against max_sas. Where it is not said, a card may have room for more than the default.
void check_count(const Draft& draft, Report& report) {
  const Gateway& gateway = draft.config.gateway;
  const std::uint32_t count = count_sas(draft.config);
  if (!gateway.max_sas && gateway.offload != OffloadMode::software) return;
  const std::uint32_t allowed = gateway.max_sas.value_or(max_sas_default);
  if (count <= allowed) return;
  report.error(draft.gateway != nullptr ? draft.gateway->position_of("max_sas") : Position{},
               fmt::format("max_sas = {} and the file has {} SAs", allowed, count));
}

}  // namespace

void check_tunnels(Draft& draft, Report& report) {
  Unique<std::string> names(report);
  Unique<std::uint32_t> inbound_spis(report);
  Unique<std::pair<IpAddress, std::uint32_t>> outbound_spis(report);
  for (std::size_t i = 0; i < draft.tunnels.size(); ++i) {
    const Tunnel& tunnel = draft.config.tunnels[i];
    const Value& table = *draft.tunnels[i];
    if (!tunnel.name.empty())
      names.add(tunnel.name, table.position_of("name"), quoted(tunnel.name), "the name of a tunnel");
    // Ours to choose, so one for the host (RFC 4301 4.1); the peer's are its own, so one for the peer.
    for (const EspSaConfig& sa : tunnel.inbound)
      if (sa.prototype.spi != 0)
        inbound_spis.add(sa.prototype.spi, place_of(table, sa), fmt::format("spi 0x{:08x}", sa.prototype.spi),
                         "an inbound SPI");
    const EspSa& outbound = tunnel.outbound.prototype;
    if (outbound.spi != 0)
      outbound_spis.add({outbound.destination, outbound.spi}, place_of(table, tunnel.outbound),
                        fmt::format("spi 0x{:08x}", outbound.spi),
                        fmt::format("an outbound SPI to {}", outbound.destination.text()));
    check_local_address(draft, i, report);
  }
  check_static_keys(draft, report);
  check_count(draft, report);
  const auto on = [&](Side side) {
    return std::any_of(draft.config.ports.begin(), draft.config.ports.end(),
                       [&](const Port& port) { return port.side == side; });
  };
  // Where a side is itself wrong, its default would be warned of.
  if (report.error_count() == 0 && !draft.tunnels.empty() && !on(Side::black))
    report.warning(draft.tunnels.front()->at, "there are tunnels and no port with side = \"black\" to carry them");
}

namespace {

using TunnelIndex = std::map<std::string_view, const Tunnel*>;

void check_protect(const Draft& draft, const TunnelIndex& tunnels, Policy& policy, const Value& table, Report& report) {
  if (policy.tunnel.empty()) return;  // reported
  const auto found = tunnels.find(policy.tunnel);
  if (found == tunnels.end()) {
    std::vector<std::string> names;
    for (const Tunnel& candidate : draft.config.tunnels) names.push_back(candidate.name);
    const std::string near = nearest(policy.tunnel, names);
    report.error(table.position_of("tunnel"),
                 near.empty()
                     ? fmt::format("tunnel = {} is no [[tunnel]]", quoted(policy.tunnel))
                     : fmt::format("tunnel = {} is no [[tunnel]], did you mean \"{}\"?", quoted(policy.tunnel), near));
    return;
  }
  const Tunnel* const tunnel = found->second;
  if (table.find("local_networks") == nullptr && table.find("remote_networks") == nullptr) {
    policy.selectors = tunnel->selectors;
    return;
  }
  // The peer drops what its SA's selectors do not hold (RFC 4301 5.2).
  for (const Selector& selector : policy.selectors) {
    if (std::any_of(tunnel->selectors.begin(), tunnel->selectors.end(),
                    [&](const Selector& outer) { return covers(outer, selector); }))
      continue;
    report.error(table.position_of("local_networks"), fmt::format("{} is not within the selectors of tunnel \"{}\"",
                                                                  selector_text(selector), policy.tunnel));
    return;
  }
}

// A policy all of whose traffic an earlier one takes never matches. Quadratic, so only for files that people write.
void warn_shadowed(const Draft& draft, Report& report) {
  constexpr std::size_t most_compared = 4096;
  std::vector<const PolicyConfig*> order;
  std::size_t selectors = 0;
  for (const PolicyConfig& policy : draft.config.policies) {
    order.push_back(&policy);
    selectors += policy.policy.selectors.size();
  }
  if (selectors > most_compared) return;
  std::stable_sort(order.begin(), order.end(), [](const PolicyConfig* a, const PolicyConfig* b) {
    return a->policy.priority < b->policy.priority;
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto& own = order[i]->policy.selectors;
    for (std::size_t j = 0; j < i; ++j) {
      const auto& earlier = order[j]->policy.selectors;
      const bool shadowed = !own.empty() && std::all_of(own.begin(), own.end(), [&](const Selector& inner) {
        return std::any_of(earlier.begin(), earlier.end(), [&](const Selector& outer) { return covers(outer, inner); });
      });
      if (!shadowed) continue;
      const Place& place = order[i]->place;
      report.warning(
          {place.line, place.column},
          fmt::format("policy \"{}\" never matches, \"{}\" ({}) takes all of its traffic first", order[i]->policy.name,
                      order[j]->policy.name, line_of({order[j]->place.line, order[j]->place.column})));
      break;
    }
  }
}

}  // namespace

void check_policies(Draft& draft, Report& report) {
  Unique<std::string> names(report);
  std::set<std::string> carried;
  TunnelIndex tunnels;
  for (const Tunnel& tunnel : draft.config.tunnels) tunnels.try_emplace(tunnel.name, &tunnel);
  for (std::size_t i = 0; i < draft.policies.size(); ++i) {
    Policy& policy = draft.config.policies[i].policy;
    const Value& table = *draft.policies[i];
    if (!policy.name.empty())
      names.add(policy.name, table.position_of("name"), quoted(policy.name), "the name of a policy");
    if (policy.action != PolicyAction::protect) continue;
    check_protect(draft, tunnels, policy, table, report);
    carried.insert(policy.tunnel);
  }
  // Tunnels without a policy of their own protect what they are made for.
  for (const Tunnel& tunnel : draft.config.tunnels) {
    if (!carried.insert(tunnel.name).second) continue;
    PolicyConfig entry;
    entry.policy.name = tunnel.name;
    entry.policy.action = PolicyAction::protect;
    entry.policy.tunnel = tunnel.name;
    entry.policy.selectors = tunnel.selectors;
    entry.place = tunnel.place;
    if (!tunnel.name.empty())
      names.add(tunnel.name, {tunnel.place.line, tunnel.place.column},
                fmt::format("tunnel \"{}\" has no policy and its name", tunnel.name), "the name of a policy");
    draft.config.policies.push_back(std::move(entry));
  }
  if (report.error_count() == 0) warn_shadowed(draft, report);
}

std::uint32_t count_sas(const Config& config) noexcept {
  std::size_t count = 0;
  for (const Tunnel& tunnel : config.tunnels) count += 1 + tunnel.inbound.size();
  for (const Macsec& macsec : config.macsecs) {
    count += macsec.transmit_sas.size();
    for (const ReceiveScConfig& sc : macsec.receive_scs) count += sc.sas.size();
  }
  return static_cast<std::uint32_t>(count);
}

std::uint32_t places_for_sas(const Config& config, std::uint32_t room) noexcept {
  return config.gateway.max_sas.value_or(std::max(room, count_sas(config)));
}

}  // namespace linecrypt::config
