// SHA-256 and hexadecimal text, for uuids and manifests.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace linecrypt::bitstreams {

std::array<std::uint8_t, 32> sha256(std::span<const std::uint8_t> bytes);
std::string hex_text(std::span<const std::uint8_t> bytes);

}  // namespace linecrypt::bitstreams
