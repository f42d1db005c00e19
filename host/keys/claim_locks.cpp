#include "host/keys/claim_locks.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

namespace linecrypt::keys {
namespace {

[[nodiscard]] Error failed(const std::string& path, const char* what) {
  return Error{fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
}

[[nodiscard]] std::string read_text(int fd) {
  std::array<char, 512> buffer{};
  const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

// The text is for people only: that it could not be written does not hold up a claim.
void write_text(int fd, const std::string& text) {
  if (::ftruncate(fd, 0) != 0) return;
  static_cast<void>(!::pwrite(fd, text.data(), text.size(), 0));
}

}  // namespace

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::open(const std::string& directory) {
  std::string path = directory + "/lock";
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.open()) return failed(path, "open");
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(std::move(path), std::move(fd)));
}

Result<DirectoryLock::Hold> DirectoryLock::acquire() {
  constexpr std::chrono::milliseconds wait_longest{5000};
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::microseconds pause{100};
  while (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed(path_, "lock");
    if (std::chrono::steady_clock::now() - begin > wait_longest) {
      return Error{
          fmt::format("{}: another process holds it for more than 5 s; numbers are not lent without it", path_)};
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds{10000});
  }
  return Hold(fd_.get());
}

DirectoryLock::Hold::~Hold() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

Result<std::unique_ptr<ClaimLocks>> ClaimLocks::open(const std::string& directory) {
  std::string path = directory + "/claims";
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path, "create");
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.open()) return failed(path, "open");
  std::unique_ptr<ClaimLocks> locks(new ClaimLocks(std::move(path), std::move(fd)));
  // What dead processes left.
  DIR* const entries = ::opendir(locks->path_.c_str());
  if (entries == nullptr) return failed(locks->path_, "list");
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(entries)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(entries);
  for (const std::string& name : names) {
    FileDescriptor file(::openat(locks->fd_.get(), name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.open()) locks->release(name, std::move(file));
  }
  return locks;
}

Result<FileDescriptor> ClaimLocks::open_file(const std::string& name) {
  FileDescriptor file(::openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.open()) return failed(path_ + "/" + name, "open");
  return file;
}

Result<ClaimLocks::Attempt> ClaimLocks::lock(const std::string& name, int how, const std::string& text) {
  auto file = open_file(name);
  if (!file) return file.error();
  if (::flock(file->get(), how | LOCK_NB) == 0) {
    write_text(file->get(), text);
    return Attempt{std::move(*file), {}};
  }
  if (errno != EWOULDBLOCK) return failed(path_ + "/" + name, "lock");
  return Attempt{FileDescriptor(), read_text(file->get())};
}

Result<ClaimLocks::Attempt> ClaimLocks::exclusive(const std::string& name, const std::string& text) {
  return lock(name, LOCK_EX, text);
}
Result<ClaimLocks::Attempt> ClaimLocks::shared(const std::string& name, const std::string& text) {
  return lock(name, LOCK_SH, text);
}

Result<ClaimLocks::Attempt> ClaimLocks::agreeing(const std::string& name, const std::string& agreement,
                                                 const std::string& text) {
  auto file = open_file(name);
  if (!file) return file.error();
  const std::string content = agreement + ": " + text;
  // 1. Nobody there: it is ours to say. The directory's lock covers the step down to shared.
  if (::flock(file->get(), LOCK_EX | LOCK_NB) == 0) {
    write_text(file->get(), content);
  } else {
    // 2. Others there: the same, or not at all.
    if (errno != EWOULDBLOCK) return failed(path_ + "/" + name, "lock");
    std::string theirs = read_text(file->get());
    if (theirs.rfind(agreement + ": ", 0) != 0) return Attempt{FileDescriptor(), std::move(theirs)};
  }
  if (::flock(file->get(), LOCK_SH | LOCK_NB) != 0) return failed(path_ + "/" + name, "lock");
  return Attempt{std::move(*file), {}};
}

void ClaimLocks::release(const std::string& name, FileDescriptor lock) noexcept {
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(fd_.get(), name.c_str(), 0);
}

Result<std::optional<std::string>> ClaimLocks::holder(const std::string& name) {
  const FileDescriptor file(::openat(fd_.get(), name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file.open() && errno == ENOENT) return std::optional<std::string>();
  if (!file.open()) return failed(path_ + "/" + name, "open");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return std::optional<std::string>();
  if (errno != EWOULDBLOCK) return failed(path_ + "/" + name, "lock");
  return std::optional<std::string>(read_text(file.get()));
}

}  // namespace linecrypt::keys
