// StateFiles: the few file operations that host.key, journal and witness need. An interface, so that a test can own the
// disk and lose its power at any of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::keys {

using Bytes = std::vector<std::uint8_t>;

// Names are file names within one directory. Errors name path and cause.
class StateFiles {
 public:
  virtual ~StateFiles() = default;
  // The directory, for messages.
  [[nodiscard]] virtual const std::string& directory() const noexcept = 0;
  // Everything from `offset` on; none: no such file. Refuses a file that is not a regular one of ours that nobody else
  // may read.
  virtual Result<std::optional<Bytes>> read(const std::string& name, std::uint64_t offset) = 0;
  // Creates or replaces a file and makes its content durable; its name is durable after sync_directory().
  virtual Result<void> create(const std::string& name, std::span<const std::uint8_t> bytes) = 0;
  // Writes into an existing file; durable on return. After an error nothing is known of what was written.
  virtual Result<void> write(const std::string& name, std::uint64_t offset, std::span<const std::uint8_t> bytes) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // A file that is not there is no error.
  virtual Result<void> remove(const std::string& name) = 0;
  virtual Result<void> sync_directory() = 0;
  // A number that a copy of the file does not have (its inode); none: no such file.
  virtual Result<std::optional<std::uint64_t>> identity(const std::string& name) = 0;
};

// The real ones. Creates the directory (0700) when it is missing, not its parents; refuses one that is not ours or that
// others may enter.
Result<std::unique_ptr<StateFiles>> open_state_files(const std::string& directory);

}  // namespace linecrypt::keys
