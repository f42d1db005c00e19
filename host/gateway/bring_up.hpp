// The start of a gateway, stage by stage (see Runtime). Each stage refuses by name.
#pragma once

#include "host/gateway/runtime.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway {

// Nanoseconds, monotonic.
[[nodiscard]] Clock monotonic_clock() noexcept;

// Everything up to a running worker. `runtime.config` and `runtime.protection` are set.
Result<void> bring_up(Runtime& runtime);

// A new Fib from the kernel's tables and the configuration, published; the old one is freed once the worker is past it.
Result<void> refresh_fib(Runtime& runtime);

}  // namespace linecrypt::gateway
