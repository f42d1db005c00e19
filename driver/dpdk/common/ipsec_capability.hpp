// What applications are told of IPsec, made from what the engine does. The same for both faces.
#pragma once

#include <rte_cryptodev.h>
#include <rte_security.h>

#include <array>

#include "driver/dpdk/common/devargs.hpp"
#include "linecrypt/capabilities.hpp"

namespace linecrypt::dpdk {

// AES-GCM and AES-GMAC with those sizes of keys, associated data and IVs.
[[nodiscard]] rte_cryptodev_capabilities gcm_capability(rte_crypto_param_range keys, rte_crypto_param_range aad,
                                                        std::uint16_t iv);
[[nodiscard]] rte_cryptodev_capabilities gmac_capability(rte_crypto_param_range keys, std::uint16_t iv);

// One IPsec capability for either face.
[[nodiscard]] rte_security_capability ipsec_capability(const Capabilities& engine, const DriverOptions& options,
                                                       rte_security_session_action_type action,
                                                       rte_security_ipsec_sa_mode mode,
                                                       rte_security_ipsec_sa_direction direction,
                                                       const rte_cryptodev_capabilities* crypto);
// AES-GCM and GMAC as ESP takes them: at most three entries, and the end.
void fill_ipsec_crypto(const Capabilities& engine, std::array<rte_cryptodev_capabilities, 4>& out);

}  // namespace linecrypt::dpdk
