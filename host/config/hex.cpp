#include "host/config/hex.hpp"

#include <fmt/format.h>

#include <array>

namespace linecrypt::config {
namespace {

// -1: no hex digit.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<Secret<key_bytes_largest>> bytes_of_hex(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (digit(text[i]) < 0) return Error{fmt::format("character {} is not a hex digit", i + 1)};
  if (text.size() % 2 != 0) return Error{fmt::format("{} hex digits are found, an even number is needed", text.size())};
  if (text.size() > 2 * key_bytes_largest)
    return Error{fmt::format("{} hex digits are found, allowed: at most {}", text.size(), 2 * key_bytes_largest)};
  std::array<std::uint8_t, key_bytes_largest> bytes{};
  for (std::size_t i = 0; i < text.size() / 2; ++i)
    bytes[i] = static_cast<std::uint8_t>(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
  Secret<key_bytes_largest> secret(std::span<const std::uint8_t>(bytes).first(text.size() / 2));
  cleanse(bytes.data(), bytes.size());
  return secret;
}

}  // namespace linecrypt::config
