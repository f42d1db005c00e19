// The high half of an extended sequence number, which is not on the wire (RFC 4303 2.2.1, Appendix A2).
#pragma once

#include <cstdint>
#include <optional>

namespace linecrypt::software::esp {

// The full number of a packet that carries `low`, seen from a window of `window` numbers that ends at `top`
// (RFC 4303 A2.2). None: it would lie before number 0 or behind the last number.
//
// 1. Case A, the window lies within one subspace: numbers left of its bottom can only be of the next subspace.
// 2. Case B, the window reaches back into the subspace before: numbers from its bottom on are of that one.
[[nodiscard]] constexpr std::optional<std::uint64_t> infer_number(std::uint32_t low, std::uint64_t top,
                                                                  std::uint32_t window) noexcept {
  const auto top_low = static_cast<std::uint32_t>(top);
  const auto top_high = static_cast<std::uint32_t>(top >> 32U);
  const std::uint32_t bottom = top_low - window + 1;  // wraps in case B
  std::uint32_t high = top_high;
  if (top_low >= window - 1) {
    // 1.
    if (low < bottom) {
      if (top_high == 0xffffffffU) return std::nullopt;
      ++high;
    }
  } else if (low >= bottom) {
    // 2.
    if (top_high == 0) return std::nullopt;
    --high;
  }
  return std::uint64_t{high} << 32U | low;
}

}  // namespace linecrypt::software::esp
