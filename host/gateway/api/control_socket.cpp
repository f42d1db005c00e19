#include "host/gateway/api/control_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace linecrypt::gateway::api {

namespace {

Result<void> check_directory(const std::string& directory) {
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) {
    if (errno != ENOENT || ::mkdir(directory.c_str(), 0700) != 0 || ::lstat(directory.c_str(), &status) != 0)
      return Error{fmt::format("control socket: directory {}: {}", directory, std::strerror(errno))};
  }
  if (!S_ISDIR(status.st_mode)) return Error{fmt::format("control socket: {} is not a directory", directory)};
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return Error{fmt::format("control socket: directory {} belongs to user {}; it must belong to root or to user {}",
                             directory, status.st_uid, ::geteuid())};
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return Error{fmt::format("control socket: directory {} has mode {:04o}; group and others must not write to it",
                             directory, status.st_mode & 07777U)};
  return {};
}

// False when the lock's file was removed by its last owner between our opening and locking it.
bool is_file_at(int descriptor, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

// True if something accepts connections there.
bool answers(const std::string& path) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  const bool live = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
                    errno == EAGAIN;  // its queue is full, so it lives
  ::close(socket);
  return live;
}

}  // namespace

Result<ControlSocket> ControlSocket::claim(const std::string& path) {
  const std::string directory = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  if (auto checked = check_directory(directory); !checked) return checked.error();

  // 1. The lock decides between two daemons that start at once, and dies with its process.
  ControlSocket claimed;
  claimed.path_ = path;
  const std::string lock = path + ".lock";
  claimed.lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (claimed.lock_ < 0) return Error{fmt::format("control socket: {}: {}", lock, std::strerror(errno))};
  const bool ours = ::flock(claimed.lock_, LOCK_EX | LOCK_NB) == 0 && is_file_at(claimed.lock_, lock);
  if (!ours || answers(path)) {
    ::close(std::exchange(claimed.lock_, -1));
    return Error{fmt::format("control socket: a linecryptd answers at {} already", path)};
  }

  // 2. What a dead one left goes; anything but a socket is not ours to remove.
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      ::close(std::exchange(claimed.lock_, -1));
      return Error{fmt::format("control socket: {} exists and is not a socket", path)};
    }
    if (::unlink(path.c_str()) != 0)
      return Error{fmt::format("control socket: removing the stale {}: {}", path, std::strerror(errno))};
  }
  return claimed;
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

ControlSocket& ControlSocket::operator=(ControlSocket&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

ControlSocket::~ControlSocket() {
  if (lock_ < 0) return;
  ::unlink(path_.c_str());
  ::unlink((path_ + ".lock").c_str());
  ::close(lock_);
}

}  // namespace linecrypt::gateway::api
