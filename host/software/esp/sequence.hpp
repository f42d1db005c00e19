// The high half of an extended sequence number, which is not on the wire (RFC 4303 2.2.1, Appendix A2).
#pragma once

#include <cstdint>
#include <optional>

namespace linecrypt::software::esp {

// The full numbers of packets by the low halves that they carry, seen from a window of `window` numbers that ends at
// `top` (RFC 4303 A2.2).
//
// Whichever case of the appendix the window is in, a number is taken for the first one from the window's bottom on that
// has its low half: in case A numbers left of the bottom are of the next subspace, in case B, where the window reaches
// back, numbers from the bottom on are of the one before.
class NumberInference {
 public:
  constexpr NumberInference(std::uint64_t top, std::uint32_t window) noexcept
      : bottom_(top - window + 1), below_zero_(top < window - 1) {}

  // The number, where there is one. Where there is none, it is one below the bottom; or, where the bottom lies before
  // number 0, from bottom() on.
  [[nodiscard]] constexpr std::uint64_t first_from_bottom(std::uint32_t low) const noexcept {
    return bottom_ + (low - static_cast<std::uint32_t>(bottom_));
  }
  [[nodiscard]] constexpr std::uint64_t bottom() const noexcept { return bottom_; }
  [[nodiscard]] constexpr bool below_zero() const noexcept { return below_zero_; }

  // None: it would lie before number 0 or behind the last number.
  [[nodiscard]] constexpr std::optional<std::uint64_t> infer(std::uint32_t low) const noexcept {
    const std::uint64_t number = first_from_bottom(low);
    // A bottom below 0 is one at the far end of the numbers: what is from there on must have come round, nothing else.
    if ((number < bottom_) != below_zero_) return std::nullopt;
    return number;
  }

 private:
  std::uint64_t bottom_;
  bool below_zero_;
};

[[nodiscard]] constexpr std::optional<std::uint64_t> infer_number(std::uint32_t low, std::uint64_t top,
                                                                  std::uint32_t window) noexcept {
  return NumberInference(top, window).infer(low);
}

}  // namespace linecrypt::software::esp
