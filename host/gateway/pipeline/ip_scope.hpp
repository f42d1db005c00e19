// What kind of address these 4 or 16 bytes are (RFC 1122 3.2.1.3, RFC 4291 2.4).
#pragma once

#include <algorithm>
#include <cstdint>

#include "linecrypt/address.hpp"

namespace linecrypt::gateway {

[[nodiscard]] inline bool is_unspecified(Family family, const std::uint8_t* address) noexcept {
  return std::all_of(address, address + (family == Family::ipv4 ? 4 : 16), [](std::uint8_t b) { return b == 0; });
}

[[nodiscard]] inline bool is_multicast(Family family, const std::uint8_t* address) noexcept {
  return family == Family::ipv4 ? (address[0] & 0xf0U) == 0xe0 : address[0] == 0xff;
}

[[nodiscard]] inline bool is_limited_broadcast(Family family, const std::uint8_t* address) noexcept {
  return family == Family::ipv4 && std::all_of(address, address + 4, [](std::uint8_t b) { return b == 0xff; });
}

[[nodiscard]] inline bool is_loopback(Family family, const std::uint8_t* address) noexcept {
  if (family == Family::ipv4) return address[0] == 127;
  return address[15] == 1 && std::all_of(address, address + 15, [](std::uint8_t b) { return b == 0; });
}

// fe80::/10. IPv4's 169.254/16 is routed by nobody who does not ask for it, and clouds put services there: not here.
[[nodiscard]] inline bool is_link_local(Family family, const std::uint8_t* address) noexcept {
  return family == Family::ipv6 && address[0] == 0xfe && (address[1] & 0xc0U) == 0x80;
}

// ff02::/16
[[nodiscard]] inline bool is_link_multicast(Family family, const std::uint8_t* address) noexcept {
  return family == Family::ipv6 && address[0] == 0xff && (address[1] & 0x0fU) == 0x02;
}

// An address of one host that may be forwarded to another link.
[[nodiscard]] inline bool is_routable(Family family, const std::uint8_t* address) noexcept {
  if (family == Family::ipv4 && (address[0] == 0 || address[0] >= 240)) return false;  // RFC 1122, class E
  return !is_unspecified(family, address) && !is_multicast(family, address) && !is_loopback(family, address) &&
         !is_link_local(family, address);
}

}  // namespace linecrypt::gateway
