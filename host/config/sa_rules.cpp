#include "host/config/sa_rules.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "host/config/words.hpp"
#include "linecrypt/capabilities.hpp"

namespace linecrypt::config {
namespace {

Capabilities every_capability() {
  Capabilities all;
  all.engine = "configuration";
  all.max_sas = std::numeric_limits<std::uint32_t>::max();
  all.esp_udp_ipv6 = all.esp_udp_transport = true;
  all.esp = all.esp_tunnel = all.esp_transport = all.esp_inter_family = all.esp_udp = all.esp_esn = all.esp_tfc = true;
  all.aes_128 = all.aes_192 = all.aes_256 = all.gmac = true;
  all.replay_window_max = replay_window_largest;
  all.max_selectors = most_selectors;
  all.macsec = all.macsec_xpn = all.macsec_integrity_only = all.macsec_confidentiality_offset = true;
  all.macsec_clear_tags = 2;
  all.duplicate_bitmap_max = 4096;
  return all;
}

// Stands for key bytes that are not read yet: check() looks at sizes.
template <std::size_t N>
Secret<N> zeros(std::size_t size) {
  constexpr std::array<std::uint8_t, N> bytes{};
  return Secret<N>(std::span<const std::uint8_t>(bytes).first(size));
}

Position position(const Place& place) {
  return {place.line, place.column};
}

Result<void> rules_of(const Macsec& macsec, const MacsecSaConfig& from, Direction direction, Sci sci) {
  MacsecSa sa;
  sa.secy = macsec.secy;
  sa.direction = direction;
  sa.sci = sci;
  sa.an = from.an;
  sa.key = zeros<32>(key_size(macsec.secy.suite));
  if (is_xpn(macsec.secy.suite)) sa.salt = zeros<12>(12);
  sa.ssci = from.ssci;
  sa.lowest_pn = from.lowest_pn;
  return check(every_capability(), sa);
}

}  // namespace

void check_rules(const Macsec& macsec, Report& report) {
  // Without `sci` it is the port's MAC, which is not known yet, and port 1.
  const Sci transmit = macsec.sci.value_or(Sci{MacAddress{{0x02, 0, 0, 0, 0, 0}}, 1});
  // What is wrong with the SecY is wrong with each SA: said once.
  std::vector<std::string> said;
  const auto check_one = [&](const MacsecSaConfig& sa, Direction direction, Sci sci) {
    const auto allowed = rules_of(macsec, sa, direction, sci);
    if (allowed || std::find(said.begin(), said.end(), allowed.error().message) != said.end()) return;
    said.push_back(allowed.error().message);
    report.error(position(sa.place), said.back());
  };
  for (const MacsecSaConfig& sa : macsec.transmit_sas) check_one(sa, Direction::egress, transmit);
  for (const ReceiveScConfig& sc : macsec.receive_scs)
    for (const MacsecSaConfig& sa : sc.sas) check_one(sa, Direction::ingress, sc.sci);
}

void check_rules(EspSaConfig& from, Report& report) {
  EspSa& sa = from.prototype;
  sa.key = zeros<32>(key_size(sa.algorithm));
  sa.salt = zeros<4>(4);
  const auto allowed = check(every_capability(), sa);
  sa.key = {};
  sa.salt = {};
  if (!allowed) report.error(position(from.place), allowed.error().message);
}

}  // namespace linecrypt::config
