#include "driver/dpdk/crypto/capabilities.hpp"

#include "host/software/aead/provider.hpp"

namespace linecrypt::dpdk {

CryptoCapabilities::CryptoCapabilities(const Capabilities& engine, const DriverOptions& options) {
  raw_[0] = gcm_capability({16, 32, 8}, {0, 65535, 1}, software::aead_iv_size);
  raw_[1] = gmac_capability({16, 32, 8}, software::aead_iv_size);
  fill_ipsec_crypto(engine, ipsec_);
  std::size_t count = 0;
  for (const auto mode : {RTE_SECURITY_IPSEC_SA_MODE_TUNNEL, RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT})
    for (const auto direction : {RTE_SECURITY_IPSEC_SA_DIR_EGRESS, RTE_SECURITY_IPSEC_SA_DIR_INGRESS})
      security_[count++] = ipsec_capability(engine, options, RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL, mode,
                                            direction, ipsec_.data());
  // An engine without ESP (a MACsec bitstream): no entry at all.
  if (!engine.esp) security_ = {};
}

}  // namespace linecrypt::dpdk
