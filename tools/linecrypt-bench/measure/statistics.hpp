// Medians and spreads. Medians, since what disturbs a measurement makes it longer and never shorter.
#pragma once

#include <vector>

namespace linecrypt::bench {

// The value below which `part` of the sorted values lie, between two of them in proportion. Precondition: not empty.
[[nodiscard]] double quantile(std::vector<double> values, double part);
[[nodiscard]] inline double median(const std::vector<double>& values) {
  return quantile(values, 0.5);
}
// The interquartile range as a part of the median.
[[nodiscard]] double spread(const std::vector<double>& values);

}  // namespace linecrypt::bench
