// The drivers use structs inside DPDK that may change with any release of it: they run with the one that they were
// built for, and with no other.
#pragma once

#include "linecrypt/result.hpp"

namespace linecrypt::dpdk {

Result<void> check_dpdk_version();

}  // namespace linecrypt::dpdk
