#include "tools/linecrypt-bench/measure/stopwatch.hpp"

#include <algorithm>
#include <chrono>

namespace linecrypt::bench {

// The best of a few tries: another process may run between the two readings.
void Stopwatch::calibrate() {
  using Clock = std::chrono::steady_clock;
  double best_error = 1e18;
  for (int i = 0; i < 5; ++i) {
    const auto wall_begin = Clock::now();
    const std::uint64_t begin = Stopwatch::begin();
    const auto wall_between = Clock::now();
    while (Clock::now() - wall_between < std::chrono::milliseconds(10)) {
    }
    const std::uint64_t end = Stopwatch::end();
    const auto wall_end = Clock::now();
    const double error = std::chrono::duration<double, std::nano>(wall_between - wall_begin).count();
    if (error >= best_error) continue;
    best_error = error;
    ticks_per_ns_ =
        static_cast<double>(end - begin) / std::chrono::duration<double, std::nano>(wall_end - wall_begin).count();
  }
  std::uint64_t smallest = ~std::uint64_t{0};
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t begin = Stopwatch::begin();
    smallest = std::min(smallest, Stopwatch::end() - begin);
  }
  empty_ticks_ = static_cast<double>(smallest);
}

}  // namespace linecrypt::bench
