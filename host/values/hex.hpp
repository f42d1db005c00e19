// Hexadecimal text of our own (known answers) as bytes: lower case, an even number of digits.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace linecrypt {

inline std::vector<std::uint8_t> from_hex(std::string_view hex) {
  const auto nibble = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(nibble(hex[i]) << 4U | nibble(hex[i + 1])));
  return bytes;
}

}  // namespace linecrypt
