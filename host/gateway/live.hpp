// What the gateway needs of the kernel, read again while it runs: for `linecryptctl check --live`. Changes nothing.
#pragma once

#include <vector>

#include "host/gateway/kernel/live_rule.hpp"
#include "host/gateway/runtime.hpp"

namespace linecrypt::gateway {

[[nodiscard]] std::vector<kernel::LiveRule> check_live(const Runtime& runtime);

}  // namespace linecrypt::gateway
