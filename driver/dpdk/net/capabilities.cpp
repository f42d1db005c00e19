#include "driver/dpdk/net/capabilities.hpp"

#include "driver/dpdk/net/macsec_sessions.hpp"

namespace linecrypt::dpdk {

NetCapabilities::NetCapabilities(const Capabilities& engine, const DriverOptions& options, std::uint32_t max_sas) {
  fill_ipsec_crypto(engine, ipsec_);
  if (engine.esp) {
    for (const auto mode : {RTE_SECURITY_IPSEC_SA_MODE_TUNNEL, RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT}) {
      for (const auto direction : {RTE_SECURITY_IPSEC_SA_DIR_EGRESS, RTE_SECURITY_IPSEC_SA_DIR_INGRESS}) {
        security_.push_back(ipsec_capability(engine, options, RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL, mode, direction,
                                             ipsec_.data()));
        if (direction == RTE_SECURITY_IPSEC_SA_DIR_EGRESS) security_.back().ol_flags = RTE_SECURITY_TX_OLOAD_NEED_MDATA;
      }
    }
  }
  for (const rte_security_capability& one : MacsecSessions::capability_entries(engine, max_sas))
    security_.push_back(one);
  security_.emplace_back();
}

}  // namespace linecrypt::dpdk
