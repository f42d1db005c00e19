#include "host/config/permissions.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "linecrypt/secret.hpp"

namespace linecrypt::config {

Result<void> check_owner_and_mode(const struct stat& status, const std::string& what, Others others) {
  if (status.st_uid != 0 && status.st_uid != geteuid())
    return Error{fmt::format("{} belongs to user {}, allowed: root{}", what, status.st_uid,
                             geteuid() == 0 ? std::string() : fmt::format(" and user {}", geteuid()))};
  const mode_t mode = status.st_mode & 07777U;
  if (others == Others::may_do_nothing && (mode & 0077U) != 0)
    return Error{
        fmt::format("{} has mode {:04o}, others than its owner may use it; allowed: 0600 or 0400", what, mode)};
  if ((mode & 0022U) != 0)
    return Error{
        fmt::format("{} has mode {:04o}, others than its owner may write it; allowed: at most 0755", what, mode)};
  return {};
}

namespace {

Result<void> check_directory(const std::string& path, const std::string& what) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return Error{fmt::format("{} {} cannot be looked at: {}", what, path, std::strerror(errno))};
  if (!S_ISDIR(status.st_mode)) return Error{fmt::format("{} {} is not a directory", what, path)};
  return check_owner_and_mode(status, fmt::format("{} {}", what, path), Others::may_read);
}

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

Result<void> check_directory_of(const std::string& path) {
  auto allowed = check_directory(directory_of(path), "the directory");
  if (!allowed) return allowed;
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    std::error_code error;
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    if (error) return Error{fmt::format("the link {} cannot be followed: {}", path, error.message())};
    return check_directory(directory_of(target.string()), "the directory");
  }
  return {};
}

Result<void> check_state_directory(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) {
    const std::string parent = directory_of(path);
    if (::stat(parent.c_str(), &status) != 0 && errno == ENOENT) return {};  // the daemon names it when it makes it
    return check_directory(parent, "the parent of the state directory");
  }
  return check_directory(path, "the state directory");
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.fd_;
    other.fd_ = -1;
  }
  return *this;
}

void Descriptor::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

ConfigurationText::~ConfigurationText() {
  cleanse(bytes.data(), bytes.size());
}

ConfigurationText read_configuration(const std::string& path) {
  ConfigurationText text;
  const auto refuse = [&](std::string why) { text.problems.push_back(std::move(why)); };
  // 1. What is checked is what is read: one descriptor. O_NONBLOCK: a FIFO must not hang us.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
    return text;
  }
  if (!S_ISREG(status.st_mode)) {
    refuse("is not a regular file");
    return text;
  }
  // 2. Owner and mode; a refusal does not hide what else is wrong.
  if (const auto allowed = check_owner_and_mode(status, "the configuration file", Others::may_read); !allowed)
    refuse(allowed.error().message);
  if (const auto allowed = check_directory_of(path); !allowed) refuse(allowed.error().message);
  text.others_may_read = (status.st_mode & 0077U) != 0;
  // 3. The bytes. The buffer is full-sized from the start: growing would leave copies behind.
  if (static_cast<std::uint64_t>(status.st_size) > ConfigurationText::largest) {
    refuse(fmt::format("has {} bytes, allowed: at most {}", status.st_size, ConfigurationText::largest));
    return text;
  }
  text.bytes.resize(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < text.bytes.size()) {
    const ssize_t got = ::read(file.get(), text.bytes.data() + filled, text.bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
      return text;
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  text.bytes.resize(filled);
  text.readable = true;
  return text;
}

}  // namespace linecrypt::config
