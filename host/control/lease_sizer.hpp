// LeaseSizer: how many numbers to ask for (DESIGN 2: at most 2^20 and one second of the measured rate, 2^16 for 32-bit
// spaces).
#pragma once

#include <algorithm>
#include <cstdint>

#include "linecrypt/lease.hpp"

namespace linecrypt::control {

class LeaseSizer {
 public:
  // An SA that hardly sends should not burn numbers at each restart, one that starts at full speed should not run dry
  // before the next service(): 2^14 last 10 ms at 1.6 million packets a second.
  static constexpr std::uint64_t first_wide = std::uint64_t{1} << 14U;
  static constexpr std::uint64_t smallest = std::uint64_t{1} << 12U;

  explicit LeaseSizer(bool wide = true) : largest_(wide ? lease_largest : lease_largest_32bit) {
    last_ = wide ? first_wide : smallest;
  }

  [[nodiscard]] std::uint64_t first() const noexcept { return last_; }
  // The clock of the measurement starts at `number`.
  void start(std::uint64_t number, std::uint64_t now_ns) noexcept {
    number_ = number;
    time_ns_ = now_ns;
  }
  // The next size, now that the SA stands at `number`. `starved`: packets were dropped for want of a lease, so the rate
  // measured is the leases' and not the traffic's.
  std::uint64_t next(std::uint64_t number, std::uint64_t now_ns, bool starved) noexcept {
    constexpr std::uint64_t shortest_ns = 1'000'000;
    const double used = static_cast<double>(number - std::min(number, number_));
    const double seconds = static_cast<double>(std::max(now_ns - std::min(now_ns, time_ns_), shortest_ns)) * 1e-9;
    const double rate = std::min(used / seconds, static_cast<double>(largest_));
    std::uint64_t size = std::max(static_cast<std::uint64_t>(rate), smallest);
    if (starved) size = std::max(size, last_ * 4);
    last_ = std::min(size, largest_);
    start(number, now_ns);
    return last_;
  }

 private:
  std::uint64_t largest_;
  std::uint64_t last_;
  std::uint64_t number_ = 1;
  std::uint64_t time_ns_ = 0;
};

}  // namespace linecrypt::control
