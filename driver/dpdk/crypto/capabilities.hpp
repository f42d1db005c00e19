// What the cryptodev tells applications that it does, made from what its engine does.
#pragma once

#include <cryptodev_pmd.h>
#include <rte_security.h>

#include <array>

#include "driver/dpdk/common/ipsec_capability.hpp"

namespace linecrypt::dpdk {

// Lists end with a zeroed entry, as DPDK wants them.
class CryptoCapabilities {
 public:
  CryptoCapabilities(const Capabilities& engine, const DriverOptions& options);
  CryptoCapabilities(const CryptoCapabilities&) = delete;
  CryptoCapabilities& operator=(const CryptoCapabilities&) = delete;

  // Raw AEAD and GMAC, the host's.
  [[nodiscard]] const rte_cryptodev_capabilities* crypto() const noexcept { return raw_.data(); }
  // Look-aside IPsec, the engine's.
  [[nodiscard]] const rte_security_capability* security() const noexcept { return security_.data(); }

 private:
  std::array<rte_cryptodev_capabilities, 3> raw_{};
  std::array<rte_cryptodev_capabilities, 4> ipsec_{};
  std::array<rte_security_capability, 5> security_{};
};

}  // namespace linecrypt::dpdk
