// IP addresses and prefixes of either family, as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "linecrypt/result.hpp"

namespace linecrypt {

enum class Family : std::uint8_t { ipv4 = 4, ipv6 = 6 };

// Network byte order; an IPv4 address uses the first 4 bytes, the others are zero.
struct IpAddress {
  Family family = Family::ipv4;
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const IpAddress&) const = default;
  [[nodiscard]] std::uint32_t size() const noexcept { return family == Family::ipv4 ? 4 : 16; }
  // Dotted or RFC 5952 text.
  [[nodiscard]] std::string text() const;
  static Result<IpAddress> parse(std::string_view text);
};

struct Prefix {
  IpAddress address;        // host bits are zero
  std::uint8_t length = 0;  // 0..32 or 0..128

  auto operator<=>(const Prefix&) const = default;
  [[nodiscard]] bool contains(const IpAddress& other) const noexcept {
    if (other.family != address.family) return false;
    return contains_bytes(other.bytes.data());
  }
  // `other` points at 4 or 16 bytes of the prefix's own family.
  [[nodiscard]] bool contains_bytes(const std::uint8_t* other) const noexcept {
    const std::uint32_t whole = length / 8;
    for (std::uint32_t i = 0; i < whole; ++i)
      if (other[i] != address.bytes[i]) return false;
    const std::uint32_t rest = length % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
    return static_cast<std::uint8_t>(other[whole] & mask) == address.bytes[whole];
  }
  [[nodiscard]] std::string text() const;
  // "10.0.0.0/8", "2001:db8::/32"; host bits set are an error that names the right prefix.
  static Result<Prefix> parse(std::string_view text);
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  auto operator<=>(const MacAddress&) const = default;
  [[nodiscard]] bool group() const noexcept { return (bytes[0] & 1U) != 0; }
  [[nodiscard]] std::string text() const;
  static Result<MacAddress> parse(std::string_view text);
};

}  // namespace linecrypt
