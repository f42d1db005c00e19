#include "driver/dpdk/net/capabilities.hpp"

namespace linecrypt::dpdk {

NetCapabilities::NetCapabilities(const Capabilities& engine, const DriverOptions& options) {
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
  security_.emplace_back();
}

}  // namespace linecrypt::dpdk
