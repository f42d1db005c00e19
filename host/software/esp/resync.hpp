// Resync: finds the high half of extended sequence numbers again after a long loss (RFC 4303 Appendix A3).
#pragma once

#include <algorithm>
#include <cstdint>

#include "linecrypt/counters.hpp"

namespace linecrypt::software::esp {

// After a run of packets that failed authentication, one packet is opened with the inferred high half plus 1, the next
// time plus 2, up to `resync_ahead`, and round again. A try costs one packet that might have been good, for nothing can
// be opened twice in place. So only a packet that follows nothing but failures is used, and each try that fails doubles
// the run that the next one needs: whoever floods the SA with forgeries gains no more than a packet in
// `resync_run_largest`. A try that is authentic moves the window forward like any packet; numbers never go back.
inline constexpr std::uint32_t resync_run_smallest = 16;
inline constexpr std::uint32_t resync_run_largest = 1024;
inline constexpr std::uint32_t resync_ahead = 4;

struct ResyncTally {
  Counter tried;
  Counter succeeded;
};

struct Resync {
  bool resync_on = false;
  std::uint8_t next_ahead = 1;                     // what the next try adds to the high half: 1..resync_ahead
  std::uint16_t failures = 0;                      // in a row; at most run_needed are counted
  std::uint16_t run_needed = resync_run_smallest;  // failures that the next try needs

  // The next packet shall be tried.
  [[nodiscard]] bool due() const noexcept { return resync_on && failures >= run_needed; }
  // Precondition: due(). How far ahead of the inferred high half this packet is opened.
  [[nodiscard]] std::uint32_t try_ahead(ResyncTally& tally) noexcept {
    failures = 0;
    run_needed = static_cast<std::uint16_t>(std::min<std::uint32_t>(run_needed * 2U, resync_run_largest));
    const std::uint32_t ahead = next_ahead;
    next_ahead = static_cast<std::uint8_t>(next_ahead == resync_ahead ? 1 : next_ahead + 1);
    tally.tried.add();
    return ahead;
  }
  void count_failure() noexcept {
    if (resync_on && failures < run_needed) ++failures;
  }
  // An authentic packet behind the one before it changes nothing.
  [[nodiscard]] bool at_rest() const noexcept { return failures == 0 && next_ahead == 1; }
  // A packet with this number is authentic; `top` is the top of the window of `window` numbers before it moves.
  void count_authentic(std::uint64_t number, std::uint64_t top, std::uint32_t window, ResyncTally& tally) noexcept {
    failures = 0;
    next_ahead = 1;
    // Inference alone leads no further than this (RFC 4303 A2.2).
    if (number <= top || number - top <= (std::uint64_t{1} << 32U) - window) return;
    run_needed = resync_run_smallest;
    tally.succeeded.add();
  }
};

}  // namespace linecrypt::software::esp
