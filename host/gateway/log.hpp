// The daemon's log: standard error, which is the journal under systemd. Never per packet, never key material.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "host/config/config.hpp"

namespace linecrypt::gateway {

// Once, before any other thread. Under systemd (JOURNAL_STREAM names standard error) lines carry a priority instead of
// a time.
void open_log(config::LogLevel level);

void log_message(config::LogLevel level, const std::string& text);

template <typename... Args>
void log(config::LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  log_message(level, fmt::format(format, std::forward<Args>(args)...));
}

// Lets `burst` messages through in each period of `seconds`, and counts the others. One thread.
class MessageLimit {
 public:
  MessageLimit(std::uint32_t burst, std::uint32_t seconds) : burst_(burst), seconds_(seconds) {}
  // True if the message may be written. `suppressed` gets how many were held back before it, once.
  bool allow(std::uint64_t& suppressed);

 private:
  std::uint32_t burst_;
  std::uint32_t seconds_;
  std::chrono::steady_clock::time_point start_{};
  std::uint32_t written_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace linecrypt::gateway
