// Resync: finds the high half of extended sequence numbers again after a long loss (RFC 4303 Appendix A3).
#pragma once

#include <cstdint>

#include "linecrypt/counters.hpp"

namespace linecrypt::software::esp {

// After `resync_every` packets in a row that failed authentication, one packet is opened with the inferred high half
// plus 1, the next time plus 2, up to `resync_ahead`, and round again. The tries are so rare, and only packets that
// follow nothing but failures are used for them, because each costs one packet that might have been good: whoever
// floods the SA with forgeries gains no more than that. A try that is authentic moves the window forward like any
// packet; numbers never go back.
inline constexpr std::uint32_t resync_every = 16;
inline constexpr std::uint32_t resync_ahead = 4;

struct Resync {
  bool on = false;
  std::uint32_t failures = 0;  // in a row
  std::uint32_t next = 1;      // what the next try adds to the high half: 1..resync_ahead
  Counter tried;
  Counter succeeded;

  // How far ahead of the inferred high half this packet is opened; 0: not at all.
  [[nodiscard]] std::uint32_t ahead() noexcept {
    if (!on || failures < resync_every) return 0;
    failures = 0;
    const std::uint32_t ahead = next;
    next = next == resync_ahead ? 1 : next + 1;
    tried.add();
    return ahead;
  }
  void failed() noexcept {
    if (on) ++failures;
  }
  // A packet with this number is authentic; `top` is the top of the window of `window` numbers before it moves.
  void authentic(std::uint64_t number, std::uint64_t top, std::uint32_t window) noexcept {
    failures = 0;
    next = 1;
    // Inference alone leads no further than this (RFC 4303 A2.2).
    if (number > top && number - top > (std::uint64_t{1} << 32U) - window) succeeded.add();
  }
};

}  // namespace linecrypt::software::esp
