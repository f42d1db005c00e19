// Log lines of the emulated card, to standard error: what was refused, and (when asked for) what happened.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <cstdio>
#include <string>

namespace linecrypt::card_model {

enum class LogLevel { error, info };

inline std::atomic<LogLevel>& log_level() {
  static std::atomic<LogLevel> level{LogLevel::error};
  return level;
}

inline void log_line(const std::string& text) {
  std::fprintf(stderr, "linecrypt card model: %s\n", text.c_str());
}

template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_level().load(std::memory_order_relaxed) == LogLevel::info)
    log_line(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace linecrypt::card_model
