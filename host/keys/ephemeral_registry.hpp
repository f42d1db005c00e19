// The key registry of a program without a state directory: ephemeral keys only, numbers in memory.
#pragma once

#include <cstdint>
#include <memory>

#include "host/keys/registry.hpp"

namespace linecrypt::keys {

class EphemeralRegistry : public KeyRegistry {
 public:
  // Numbers of a claimed egress space below `first` are never lent from now on. Refused where `first` was lent already.
  virtual Result<void> skip_to(const NumberSpaceId& space, std::uint64_t first) = 0;
};

// Number spaces belong to the process, not to the registry: two registries of one process never lend in the same
// space twice, and a key that is removed and installed again goes on where it stopped. A key for both directions is
// refused within one registry. An error when the system gives no random numbers for the hash that names spaces.
Result<std::unique_ptr<EphemeralRegistry>> open_ephemeral_registry();

}  // namespace linecrypt::keys
