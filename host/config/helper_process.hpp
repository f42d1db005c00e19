// Runs a key helper (DESIGN 3.10): no shell, clean environment, a bounded time and a bounded output.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::config {

inline constexpr std::chrono::milliseconds helper_time{5000};
inline constexpr std::size_t key_text_largest = 4096;

// What a key file or a helper gave; cleansed at the end.
struct KeyText {
  std::array<char, key_text_largest + 1> bytes{};  // one more than allowed: shows that there is more
  std::size_t size = 0;

  KeyText() = default;
  KeyText(const KeyText&) = delete;
  KeyText& operator=(const KeyText&) = delete;
  ~KeyText() { cleanse(bytes.data(), bytes.size()); }
  [[nodiscard]] std::string_view text() const noexcept { return {bytes.data(), size}; }
};

// Standard output goes to `out`; standard input and error are /dev/null. The program is its own process group, which is
// killed at the end whatever happened. The error repeats nothing that the program wrote.
[[nodiscard]] Result<void> run_helper(const std::vector<std::string>& arguments, KeyText& out,
                                      std::chrono::milliseconds time = helper_time);

}  // namespace linecrypt::config
