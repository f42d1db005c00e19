// The key registry of a context without a state directory: ephemeral keys only, numbers in memory.
#pragma once

#include <memory>

#include "host/keys/registry.hpp"

namespace linecrypt::capi {

// Number spaces belong to the process, not to the registry: two contexts of one process never encrypt in the same
// space, and a key that is removed and installed again goes on where it stopped. A key for both directions is refused
// within one registry. An error when the system gives no random numbers for the hash that names spaces.
Result<std::unique_ptr<keys::KeyRegistry>> open_ephemeral_registry();

}  // namespace linecrypt::capi
