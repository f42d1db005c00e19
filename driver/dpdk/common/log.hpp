// What the drivers say, through DPDK's log (type "pmd.linecrypt"): what a control call refused and why. Nothing is
// ever said of a single packet.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace linecrypt::dpdk {

enum class Severity { error, warning, notice, information };

void log_line(Severity severity, const std::string& text);

template <typename... Arguments>
void log(Severity severity, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  log_line(severity, fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace linecrypt::dpdk
