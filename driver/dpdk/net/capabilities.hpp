// What the ethdev tells applications that it protects, made from what its engine does.
#pragma once

#include <rte_security.h>

#include <array>
#include <vector>

#include "driver/dpdk/common/ipsec_capability.hpp"

namespace linecrypt::dpdk {

class NetCapabilities {
 public:
  NetCapabilities(const Capabilities& engine, const DriverOptions& options, std::uint32_t max_sas);
  NetCapabilities(const NetCapabilities&) = delete;
  NetCapabilities& operator=(const NetCapabilities&) = delete;

  // Ends with a zeroed entry.
  [[nodiscard]] const rte_security_capability* security() const noexcept { return security_.data(); }

 private:
  std::array<rte_cryptodev_capabilities, 4> ipsec_{};
  std::vector<rte_security_capability> security_;
};

}  // namespace linecrypt::dpdk
