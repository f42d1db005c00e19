// Kernel settings under /proc/sys. Control thread.
#pragma once

#include <optional>
#include <string>

#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

// `name` is the path below /proc/sys: "net/ipv4/conf/lc-clear/forwarding".
// None when the kernel has no such setting (IPv6 not built in).
[[nodiscard]] std::optional<std::string> read_setting(const std::string& name);
// Writes and reads back; an error when it did not stick.
Result<void> write_setting(const std::string& name, const std::string& value);

}  // namespace linecrypt::gateway::kernel
