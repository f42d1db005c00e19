// Opens a KeyRegistry over files of the caller's: what KeyRegistry::open() does with the real ones, and tests with ones
// that lose power.
#pragma once

#include <memory>
#include <string>

#include "host/keys/host_identity.hpp"
#include "host/keys/registry.hpp"
#include "host/keys/state_files.hpp"

namespace linecrypt::keys {

struct RegistryOptions {
  std::string machine_id = machine_id_file;
  std::uint64_t compaction_threshold = 16384;  // records, see Journal
};

// host.key, journal and witness in `files`; lock and claims/ in `lock_directory`, a real directory that exists.
Result<std::unique_ptr<KeyRegistry>> open_registry(std::unique_ptr<StateFiles> files, const std::string& lock_directory,
                                                   const RegistryOptions& options = {});

}  // namespace linecrypt::keys
