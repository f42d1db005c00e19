// ClaimLocks: who on this host uses which key now. One small file a space or key under claims/, held by flock, so that
// a claim dies with its process however that ends; the file's text names the holder for people.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/keys/file_descriptor.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::keys {

// The state directory's lock: journal and claims change under it only. Held for milliseconds.
class DirectoryLock {
 public:
  // Creates the lock file when missing.
  static Result<std::unique_ptr<DirectoryLock>> open(const std::string& directory);

  class Hold {
   public:
    explicit Hold(int fd) noexcept : fd_(fd) {}
    Hold(Hold&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    int fd_;
  };
  // Waits at most five seconds; an error then names the file.
  Result<Hold> acquire();

 private:
  DirectoryLock(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  FileDescriptor fd_;
};

// Functions under the DirectoryLock.
class ClaimLocks {
 public:
  // Creates claims/ when missing and removes files that nobody holds.
  static Result<std::unique_ptr<ClaimLocks>> open(const std::string& directory);

  struct Attempt {
    FileDescriptor lock;  // open: held
    std::string holder;   // else: the text of the user in the way
  };
  // Alone (egress), or together with others that share (ingress). The last holder's text stands in the file.
  Result<Attempt> exclusive(const std::string& name, const std::string& text);
  Result<Attempt> shared(const std::string& name, const std::string& text);
  // Shared among users that agree: the first one writes `agreement`, others must bring the same.
  Result<Attempt> agreeing(const std::string& name, const std::string& agreement, const std::string& text);
  // Lets go; removes the file when nobody else holds it.
  void release(const std::string& name, FileDescriptor lock) noexcept;
  // Whether any process holds it.
  Result<std::optional<std::string>> holder(const std::string& name);

 private:
  ClaimLocks(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Result<FileDescriptor> open_file(const std::string& name);
  Result<Attempt> lock(const std::string& name, int how, const std::string& text);

  std::string path_;
  FileDescriptor fd_;
};

}  // namespace linecrypt::keys
