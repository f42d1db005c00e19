// HMAC-SHA256 over a few parts, and random bytes: all the cryptography that the registry needs.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::keys {

using Digest = std::array<std::uint8_t, 32>;

// HMAC-SHA256(key, purpose | each part behind its length), so that no two lists of parts give one text.
[[nodiscard]] Digest hmac(const Secret<32>& key, std::string_view purpose,
                          std::initializer_list<std::span<const std::uint8_t>> parts);

Result<void> fill_random(std::span<std::uint8_t> bytes);

}  // namespace linecrypt::keys
