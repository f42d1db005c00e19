// Stopwatch: the time-stamp counter, read so that nothing of the measured work is left outside or let in.
#pragma once

#include <x86intrin.h>

#include <cstdint>

namespace linecrypt::bench {

class Stopwatch {
 public:
  // Compares the counter with the system's clock for some milliseconds; and how long an empty measurement takes.
  static void calibrate();
  [[nodiscard]] static double ticks_per_ns() noexcept { return ticks_per_ns_; }

  [[nodiscard]] static std::uint64_t begin() noexcept {
    _mm_lfence();
    const std::uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
  }
  [[nodiscard]] static std::uint64_t end() noexcept {
    unsigned core = 0;
    const std::uint64_t now = __rdtscp(&core);
    _mm_lfence();
    return now;
  }
  // Nanoseconds between the two, without what the measuring itself takes.
  [[nodiscard]] static double ns(std::uint64_t begin, std::uint64_t end) noexcept {
    const auto ticks = static_cast<double>(end - begin) - empty_ticks_;
    return ticks > 0 ? ticks / ticks_per_ns_ : 0;
  }

 private:
  static inline double ticks_per_ns_ = 1;
  static inline double empty_ticks_ = 0;
};

}  // namespace linecrypt::bench
