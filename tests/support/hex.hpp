// Bytes from hex text and back, for vectors and messages of tests.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace linecrypt::test {

using Bytes = std::vector<std::uint8_t>;

// Spaces are skipped. Anything else that is no hex digit is a broken test.
inline Bytes from_hex(std::string_view text) {
  Bytes bytes;
  bool high = true;
  for (const char c : text) {
    if (c == ' ') continue;
    const auto digit = std::string_view("0123456789abcdef").find(static_cast<char>(c | 0x20));
    if (digit == std::string_view::npos) throw std::invalid_argument("not hex: " + std::string(text));
    if (high) bytes.push_back(static_cast<std::uint8_t>(digit << 4U));
    if (!high) bytes.back() = static_cast<std::uint8_t>(bytes.back() | digit);
    high = !high;
  }
  if (!high) throw std::invalid_argument("odd number of hex digits: " + std::string(text));
  return bytes;
}

inline std::string to_hex(const Bytes& bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4U];
    text += "0123456789abcdef"[byte & 15U];
  }
  return text;
}

}  // namespace linecrypt::test
