// Owners and modes of files (DESIGN 3.10): configuration, its directory, the state directory, key files and helpers
// belong to root or the daemon's user and are writable by no one else.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::config {

// Who else may do what with a file.
enum class Others : std::uint8_t { may_read, may_do_nothing };

// `what` names the file for the message: "the key file /etc/keys/a".
[[nodiscard]] Result<void> check_owner_and_mode(const struct stat& status, const std::string& what, Others others);
// The directory that holds `path`; what a symbolic link points at too, with its directory.
[[nodiscard]] Result<void> check_directory_of(const std::string& path);
// One that does not exist yet is made by the daemon: then its parent is looked at.
[[nodiscard]] Result<void> check_state_directory(const std::string& path);

// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }
  void reset() noexcept;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

// The text of the configuration file; cleansed at the end, it may hold inline keys.
struct ConfigurationText {
  static constexpr std::size_t largest = 8U << 20U;

  std::string bytes;
  bool readable = false;
  bool others_may_read = false;
  std::vector<std::string> problems;

  ConfigurationText() = default;
  ConfigurationText(ConfigurationText&&) = default;
  ConfigurationText& operator=(ConfigurationText&&) = delete;
  ~ConfigurationText();
};
[[nodiscard]] ConfigurationText read_configuration(const std::string& path);

}  // namespace linecrypt::config
