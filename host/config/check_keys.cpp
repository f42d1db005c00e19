// One key, one use. The key registry compares bytes when keys are read; here equal references are refused already, by
// name.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "host/config/draft.hpp"
#include "host/config/key_reference.hpp"

namespace linecrypt::config {
namespace {

struct Use {
  const KeyReference* key;
  std::string text;                // "tunnel site-b outbound"
  const Macsec* macsec = nullptr;  // of a MACsec SA
  std::optional<Sci> sci{};        // of the transmitter, where it is known
  std::uint32_t ssci = 0;
};

// The SAs of one connectivity association share a key by design, one for each SC: the SCI (with XPN the SSCI) is in the
// nonce and keeps their numbers apart (802.1AE 14.5, 14.7). Nothing else may share one.
bool may_share(const Use& a, const Use& b) {
  if (a.macsec == nullptr || a.macsec != b.macsec) return false;
  if (is_xpn(a.macsec->secy.suite)) return a.ssci != b.ssci;
  return !a.sci || !b.sci || *a.sci != *b.sci;
}

std::string why_not(const Use& a, const Use& b) {
  if (a.macsec == nullptr || a.macsec != b.macsec) return "a key has one use";
  return is_xpn(a.macsec->secy.suite) ? "SAs that share a key need different SSCIs"
                                      : "SAs that share a key belong to different SCs";
}

std::vector<Use> uses_of(const Config& config) {
  std::vector<Use> uses;
  for (const Macsec& macsec : config.macsecs) {
    // Without `sci` the port's MAC stands in: another SC than those received, as check_macsecs makes sure.
    const Sci own = macsec.sci.value_or(Sci{MacAddress{}, 0});
    for (const MacsecSaConfig& sa : macsec.transmit_sas)
      uses.push_back({&sa.key, fmt::format("macsec {} transmit AN {}", macsec.port, sa.an), &macsec, own, sa.ssci});
    for (const ReceiveScConfig& sc : macsec.receive_scs)
      for (const MacsecSaConfig& sa : sc.sas)
        uses.push_back(
            {&sa.key,
             fmt::format("macsec {} receive {}/{} AN {}", macsec.port, sc.sci.address.text(), sc.sci.port, sa.an),
             &macsec, sc.sci, sa.ssci});
  }
  for (const Tunnel& tunnel : config.tunnels) {
    uses.push_back({&tunnel.outbound.key, fmt::format("tunnel {} outbound", tunnel.name)});
    for (const EspSaConfig& sa : tunnel.inbound)
      uses.push_back({&sa.key, fmt::format("tunnel {} inbound SPI 0x{:08x}", tunnel.name, sa.prototype.spi)});
  }
  // Keys that could not be read are reported and have no place.
  std::erase_if(uses, [](const Use& use) { return use.key->place.line == 0; });
  return uses;
}

}  // namespace

void check_keys(Draft& draft, Report& report) {
  const std::vector<Use> uses = uses_of(draft.config);
  // Groups of equal references, found by their text; an inline value has none, so those are compared with each other.
  std::map<std::string, std::vector<const Use*>> groups;
  for (const Use& use : uses) groups[source_text(*use.key)].push_back(&use);
  for (auto& [text, group] : groups) {
    std::stable_sort(group.begin(), group.end(), [](const Use* a, const Use* b) {
      return std::tie(a->key->place.line, a->key->place.column) < std::tie(b->key->place.line, b->key->place.column);
    });
    for (std::size_t i = 1; i < group.size(); ++i) {
      const Use& second = *group[i];
      for (std::size_t j = 0; j < i; ++j) {
        const Use& first = *group[j];
        if (!same_source(*first.key, *second.key) || may_share(first, second)) continue;
        const Place& place = second.key->place;
        report.error({place.line, place.column},
                     fmt::format("{} of {} is the key of {} already ({}), {}", text, second.text, first.text,
                                 line_of({first.key->place.line, first.key->place.column}), why_not(first, second)));
        break;
      }
    }
  }
}

}  // namespace linecrypt::config
