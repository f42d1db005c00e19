// ControlSocket: the path of the local API, ours alone. A socket that a dead daemon left is replaced; a live one is
// refused.
#pragma once

#include <string>

#include "linecrypt/result.hpp"

namespace linecrypt::gateway::api {

class ControlSocket {
 public:
  // Makes the directory where it is missing (0700); it must belong to root or to this user and be writable by no one
  // else. Holds a lock beside the socket ("<path>.lock") until destruction.
  static Result<ControlSocket> claim(const std::string& path);
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&& other) noexcept;
  ~ControlSocket();  // removes both files
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  ControlSocket() = default;
  std::string path_;
  int lock_ = -1;
};

}  // namespace linecrypt::gateway::api
