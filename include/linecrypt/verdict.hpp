// Verdict: the one list of named outcomes for every frame, the same in the software engine, the card and the gateway.
//
// Each frame ends under exactly one verdict and is counted there. `delivered` verdicts forward, hand over or consume
// the frame on purpose; all others are drops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {

enum class Verdict : std::uint8_t {
#define LINECRYPT_VERDICT_NAME(name, drop, text) name,
  LINECRYPT_VERDICTS(LINECRYPT_VERDICT_NAME)
#undef LINECRYPT_VERDICT_NAME
};

namespace detail {
inline constexpr std::string_view verdict_names[] = {
#define LINECRYPT_VERDICT_STRING(name, drop, text) #name,
    LINECRYPT_VERDICTS(LINECRYPT_VERDICT_STRING)
#undef LINECRYPT_VERDICT_STRING
};
}  // namespace detail

inline constexpr std::size_t verdict_count = std::size(detail::verdict_names);

// The verdict's name as written above, for counters and JSON.
[[nodiscard]] constexpr std::string_view name(Verdict verdict) noexcept {
  return detail::verdict_names[static_cast<std::size_t>(verdict)];
}

// One sentence for people.
[[nodiscard]] constexpr std::string_view describe(Verdict verdict) noexcept {
  constexpr std::string_view texts[] = {
#define LINECRYPT_VERDICT_TEXT(name, drop, text) text,
      LINECRYPT_VERDICTS(LINECRYPT_VERDICT_TEXT)
#undef LINECRYPT_VERDICT_TEXT
  };
  return texts[static_cast<std::size_t>(verdict)];
}

[[nodiscard]] constexpr bool is_drop(Verdict verdict) noexcept {
  constexpr bool drops[] = {
#define LINECRYPT_VERDICT_DROP(name, drop, text) drop,
      LINECRYPT_VERDICTS(LINECRYPT_VERDICT_DROP)
#undef LINECRYPT_VERDICT_DROP
  };
  return drops[static_cast<std::size_t>(verdict)];
}

}  // namespace linecrypt
