#include "driver/dpdk/common/dpdk_version.hpp"

#include <fmt/format.h>
#include <rte_version.h>

namespace linecrypt::dpdk {

Result<void> check_dpdk_version() {
  if (rte_version_year() == RTE_VER_YEAR && rte_version_month() == RTE_VER_MONTH &&
      rte_version_minor() == RTE_VER_MINOR)
    return {};
  return Error{fmt::format("built for DPDK {}.{}.{}, allowed is that one only; this is {}: build the driver again",
                           RTE_VER_YEAR, RTE_VER_MONTH, RTE_VER_MINOR, rte_version())};
}

}  // namespace linecrypt::dpdk
