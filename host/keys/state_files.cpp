#include "host/keys/state_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "host/keys/file_descriptor.hpp"

namespace linecrypt::keys {
namespace {

constexpr mode_t directory_mode = 0700;
constexpr mode_t file_mode = 0600;

[[nodiscard]] Error failed(const std::string& path, const char* what) {
  return Error{fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
}

// DESIGN 3.10: of root or this user, and for nobody else.
Result<void> check_ownership(const std::string& path, const struct stat& status, const char* fix) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return Error{fmt::format("{}: owned by user {}, allowed are 0 and {}", path, status.st_uid, ::geteuid())};
  }
  if ((status.st_mode & 077U) != 0) {
    return Error{fmt::format("{}: mode {:04o} lets others in, allowed is {} (chmod {} {})", path,
                             status.st_mode & 07777U, fix, fix, path)};
  }
  return {};
}

Result<void> write_all(int fd, const std::string& path, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

class PosixFiles : public StateFiles {
 public:
  PosixFiles(std::string directory, FileDescriptor fd) : directory_(std::move(directory)), fd_(std::move(fd)) {}

  [[nodiscard]] const std::string& directory() const noexcept override { return directory_; }

  Result<std::optional<Bytes>> read(const std::string& name, std::uint64_t offset) override {
    const FileDescriptor file(::openat(fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.open() && errno == ENOENT) return std::optional<Bytes>();
    if (!file.open()) return failed(path(name), "open");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return failed(path(name), "stat");
    if (!S_ISREG(status.st_mode)) return Error{fmt::format("{}: not a regular file", path(name))};
    if (auto ours = check_ownership(path(name), status, "600"); !ours) return ours.error();
    const auto size = static_cast<std::uint64_t>(status.st_size);
    Bytes bytes(size > offset ? size - offset : 0);
    std::size_t have = 0;
    while (have < bytes.size()) {
      const ssize_t n =
          ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(offset + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(path(name), "read");
      if (n == 0) break;
      have += static_cast<std::size_t>(n);
    }
    bytes.resize(have);
    return std::optional<Bytes>(std::move(bytes));
  }

  Result<void> create(const std::string& name, std::span<const std::uint8_t> bytes) override {
    // A file of that name may be somebody else's idea of one: begin with a new inode.
    if (auto removed = remove(name); !removed) return removed;
    const FileDescriptor file(
        ::openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file_mode));
    if (!file.open()) return failed(path(name), "create");
    if (auto written = write_all(file.get(), path(name), 0, bytes); !written) return written;
    if (::fsync(file.get()) != 0) return failed(path(name), "fsync");
    return {};
  }

  // Written and synced through one descriptor: an error of the device cannot fall between two.
  Result<void> write(const std::string& name, std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
    const FileDescriptor file(::openat(fd_.get(), name.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.open()) return failed(path(name), "open");
    if (auto written = write_all(file.get(), path(name), offset, bytes); !written) return written;
    if (::fdatasync(file.get()) != 0) return failed(path(name), "fdatasync");
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) != 0) return failed(path(from), "rename");
    return {};
  }

  Result<void> remove(const std::string& name) override {
    if (::unlinkat(fd_.get(), name.c_str(), 0) != 0 && errno != ENOENT) return failed(path(name), "remove");
    return {};
  }

  Result<void> sync_directory() override {
    if (::fsync(fd_.get()) != 0) return failed(directory_, "fsync");
    return {};
  }

  Result<std::optional<std::uint64_t>> identity(const std::string& name) override {
    struct stat status {};
    if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return std::optional<std::uint64_t>();
      return failed(path(name), "stat");
    }
    return std::optional<std::uint64_t>(status.st_ino);
  }

 private:
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::string directory_;
  FileDescriptor fd_;
};

}  // namespace

Result<std::unique_ptr<StateFiles>> open_state_files(const std::string& directory) {
  if (::mkdir(directory.c_str(), directory_mode) != 0 && errno != EEXIST) return failed(directory, "create");
  FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.open()) return failed(directory, "open");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failed(directory, "stat");
  if (auto ours = check_ownership(directory, status, "700"); !ours) return ours.error();
  return std::unique_ptr<StateFiles>(std::make_unique<PosixFiles>(directory, std::move(fd)));
}

}  // namespace linecrypt::keys
