// Messages: sentences for the log, at most one a minute per SA and kind, so that no traffic can fill a disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace linecrypt::control {

enum class MessageKind : std::uint8_t {
  lease_exhausted,
  soft_lifetime,
  hard_lifetime,
  pn_threshold,
  number_exhausted,
  lease_refused,
  mark_not_recorded,
  engine_refused,
};
inline constexpr std::size_t message_kinds = 8;

// One SA's, or the control thread's own.
class MessageTimes {
 public:
  static constexpr std::uint64_t pause_ns = 60'000'000'000;

  // Whether one of `kind` may be said now; `held_back` then tells how many were not since the last.
  bool may_say(MessageKind kind, std::uint64_t now_ns, std::uint64_t& held_back) noexcept {
    Kind& one = kinds_[static_cast<std::size_t>(kind)];
    if (one.said && now_ns - one.time_ns < pause_ns) {
      ++one.held_back;
      return false;
    }
    held_back = std::exchange(one.held_back, 0);
    one.said = true;
    one.time_ns = now_ns;
    return true;
  }

 private:
  struct Kind {
    bool said = false;
    std::uint64_t time_ns = 0;
    std::uint64_t held_back = 0;
  };
  std::array<Kind, message_kinds> kinds_{};
};

}  // namespace linecrypt::control
