// Hex digits to key bytes, without a copy that is not cleansed and without a message that repeats a digit.
#pragma once

#include <cstddef>
#include <string_view>

#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::config {

inline constexpr std::size_t key_bytes_largest = 44;  // AES-256 and the XPN salt

// `text` is hex digits and nothing else. The error names positions and counts only.
[[nodiscard]] Result<Secret<key_bytes_largest>> bytes_of_hex(std::string_view text);

}  // namespace linecrypt::config
