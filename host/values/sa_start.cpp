#include "host/values/sa_start.hpp"

#include <fmt/format.h>

#include <variant>

#include "host/values/numbers.hpp"

namespace linecrypt {

namespace {

std::uint64_t last_number(const Sa& sa) {
  const auto* esp = std::get_if<EspSa>(&sa);
  const bool wide = esp != nullptr ? esp->esn : is_xpn(std::get<MacsecSa>(sa).secy.suite);
  return wide ? number_last_64bit : number_last_32bit;
}

}  // namespace

Direction direction_of(const Sa& sa) {
  return std::visit([](const auto& one) { return one.direction; }, sa);
}

std::uint32_t window_size(const Sa& sa) {
  if (direction_of(sa) == Direction::egress) return 0;
  if (const auto* esp = std::get_if<EspSa>(&sa)) return esp->replay_window;
  return std::get<MacsecSa>(sa).secy.duplicate_bitmap;
}

Result<void> check_start(const Sa& sa, Lease lease, std::uint64_t window_top) {
  if (direction_of(sa) == Direction::egress) {
    if (lease.begin > lease.end)
      return Error{fmt::format("lease: {} to {}, allowed: an end not below its begin", lease.begin, lease.end)};
    if (lease.begin == 0 && lease.end != 0) return Error{"lease: begins at 0, allowed: numbers from 1"};
    return {};
  }
  if (window_top > last_number(sa))
    return Error{fmt::format("window_top: {}, allowed: at most {}", window_top, last_number(sa))};
  return {};
}

Result<void> check_grant(const SaSlot& slot, std::uint64_t granted, Lease lease) {
  if (slot.direction != Direction::egress) return Error{"GrantLease: allowed on egress SAs only"};
  if (lease.begin >= lease.end || lease.begin == 0)
    return Error{fmt::format("lease: {} to {}, allowed: numbers from 1, one at least", lease.begin, lease.end)};
  if (lease.begin < granted)
    return Error{fmt::format("lease: begins at {}, allowed: from {}, where the last one ended", lease.begin, granted)};
  if (slot.mailbox.full()) return Error{"lease: the one before is not taken yet; grant it again later"};
  return {};
}

}  // namespace linecrypt
