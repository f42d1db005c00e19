#include "host/gateway/kernel/setting.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace linecrypt::gateway::kernel {

std::optional<std::string> read_setting(const std::string& name) {
  const std::string path = "/proc/sys/" + name;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 128> text{};
  const ssize_t got = ::read(file, text.data(), text.size());
  ::close(file);
  if (got < 0) return std::nullopt;
  std::string value(text.data(), static_cast<std::size_t>(got));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Result<void> write_setting(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/" + name;
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return Error{fmt::format("{}: {}", path, std::strerror(errno))};
  const ssize_t put = ::write(file, value.data(), value.size());
  const int error = errno;
  ::close(file);
  if (put < 0) return Error{fmt::format("{}: writing {}: {}", path, value, std::strerror(error))};
  const auto now = read_setting(name);
  if (now != value)
    return Error{fmt::format("{}: is '{}' after writing '{}'", path, now.value_or("unreadable"), value)};
  return {};
}

}  // namespace linecrypt::gateway::kernel
