// Packet numbers on ingress (IEEE 802.1AE-2018 10.6.2, 10.6.4): the lowest acceptable PN, and the recovery of a 64-bit
// PN from the 32 bits on the wire. Pure functions, so that a test can try millions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "linecrypt/macsec.hpp"
#include "linecrypt/replay_window.hpp"

namespace linecrypt {

// The next PN at which pn_threshold is raised (802.1X-2020 9.8: a key server replaces a SAK from there on).
[[nodiscard]] inline std::uint64_t pn_threshold_of(const MacsecSecY& secy) noexcept {
  if (secy.pn_soft_limit != 0) return secy.pn_soft_limit;
  return is_xpn(secy.suite) ? 0xc000000000000000U : 0xc0000000U;
}

// What one receive SA knows of numbers. The next PN of the standard is `highest` + 1; it is not stored, so that the
// last number of a space cannot wrap it.
struct ReceiveNumbers {
  std::uint64_t highest = 0;  // highest PN accepted; 0: none yet
  std::uint64_t floor = 1;    // lowest acceptable PN as installed, or raised by the KaY
  std::uint64_t window = 0;   // replayWindow

  // 10.6.4: lowestPN = max(lowestPN, nextPN - replayWindow).
  [[nodiscard]] std::uint64_t lowest_acceptable() const noexcept {
    return std::max(floor, highest >= window ? highest - window + 1 : 0);
  }
  // 10.6.2, 10.6.4: is `pn` below the lowest acceptable PN? Right also where nextPN would wrap.
  [[nodiscard]] bool below_lowest(std::uint64_t pn) const noexcept {
    return pn < floor || (pn <= highest && highest - pn >= window);
  }
};

// Replay protection of one frame (10.6.2, 10.6.4), and ours for duplicates where the SA has a bitmap, which is never
// smaller than replayWindow.
[[nodiscard]] inline ReplayCheck check_replay(const ReceiveNumbers& numbers, const ReplayWindow& bitmap,
                                              std::uint64_t pn) noexcept {
  return numbers.below_lowest(pn) ? ReplayCheck::late : bitmap.check(pn);
}

// The 64-bit PN of a frame (10.6.2): the high half is that of the lowest acceptable PN, and one more where the low half
// of the lowest acceptable PN has its top bit set and the received one has not.
[[nodiscard]] constexpr std::uint64_t recover_pn(std::uint64_t lowest_acceptable, std::uint32_t received) noexcept {
  constexpr std::uint32_t top_bit = 0x80000000U;
  std::uint64_t high = lowest_acceptable >> 32U;
  if ((lowest_acceptable & top_bit) != 0 && (received & top_bit) == 0) ++high;
  return (high << 32U) | received;
}

}  // namespace linecrypt
