// One rule about the kernel that holds or does not, as `linecryptctl check --live` shows it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace linecrypt::gateway::kernel {

enum class RuleState : std::uint8_t { ok, violated, unknown };

[[nodiscard]] constexpr std::string_view name(RuleState state) noexcept {
  constexpr std::string_view names[] = {"ok", "violated", "unknown"};
  return names[static_cast<std::size_t>(state)];
}

struct LiveRule {
  std::string port;
  std::string netdev;
  std::string rule;  // "no address", "forwarding off" ...
  RuleState state = RuleState::unknown;
  std::string found;  // for people: what was found where it is not ok
};

}  // namespace linecrypt::gateway::kernel
