#include <rte_cryptodev.h>

#include <algorithm>

#include "driver/dpdk/net/macsec_sessions.hpp"

namespace linecrypt::dpdk {
namespace {

// An application that walks the list finds no cipher: MACsec's suites are named by `alg`.
const rte_cryptodev_capabilities no_ciphers[1] = {};  // RTE_CRYPTO_OP_TYPE_UNDEFINED ends it

}  // namespace

std::vector<rte_security_capability> MacsecSessions::capability_entries(const Capabilities& engine,
                                                                        std::uint32_t max_sas) {
  std::vector<rte_security_capability> entries;
  if (!engine.macsec) return entries;
  for (const auto alg : {RTE_SECURITY_MACSEC_ALG_GCM_128, RTE_SECURITY_MACSEC_ALG_GCM_256,
                         RTE_SECURITY_MACSEC_ALG_GCM_XPN_128, RTE_SECURITY_MACSEC_ALG_GCM_XPN_256}) {
    const bool xpn = alg >= RTE_SECURITY_MACSEC_ALG_GCM_XPN_128;
    const bool short_key = alg == RTE_SECURITY_MACSEC_ALG_GCM_128 || alg == RTE_SECURITY_MACSEC_ALG_GCM_XPN_128;
    if ((xpn && !engine.macsec_xpn) || !(short_key ? engine.aes_128 : engine.aes_256)) continue;
    rte_security_capability entry{};
    entry.action = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL;
    entry.protocol = RTE_SECURITY_PROTOCOL_MACSEC;
    auto& macsec = entry.macsec;
    macsec.mtu = static_cast<std::uint16_t>(macsec_mtu_most(engine));
    macsec.alg = alg;
    macsec.max_nb_sc = macsec_scs_most;
    macsec.max_nb_sa = static_cast<std::uint16_t>(std::min<std::uint32_t>(max_sas, 0xfffe));
    macsec.max_nb_sess = macsec_scs_most;
    macsec.replay_win_sz = xpn ? macsec_xpn_window_largest : 0xffffffffU;
    macsec.relative_sectag_insert = 1;
    macsec.fixed_sectag_insert = 1;
    macsec.icv_include_da_sa = 1;
    macsec.ctrl_port_enable = 1;
    macsec.validate_frames = 1;
    macsec.re_key = 1;
    macsec.anti_replay = 1;
    entry.crypto_capabilities = no_ciphers;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace linecrypt::dpdk
