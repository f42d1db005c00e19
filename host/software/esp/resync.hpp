// Resync: finds the high half of extended sequence numbers again after a long loss (RFC 4303 Appendix A3).
#pragma once

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

struct Resync {
  bool on = false;
  std::uint32_t failures = 0;               // in a row
  std::uint32_t run = resync_run_smallest;  // failures that the next try needs
  std::uint32_t next = 1;                   // what it adds to the high half: 1..resync_ahead
  Counter tried;
  Counter succeeded;

  // How far ahead of the inferred high half this packet is opened; 0: not at all.
  [[nodiscard]] std::uint32_t ahead() noexcept {
    if (!on || failures < run) return 0;
    failures = 0;
    run = run * 2 > resync_run_largest ? resync_run_largest : run * 2;
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
    if (number <= top || number - top <= (std::uint64_t{1} << 32U) - window) return;
    run = resync_run_smallest;
    succeeded.add();
  }
};

}  // namespace linecrypt::software::esp
