#include "tools/linecrypt-bench/measure/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace linecrypt::bench {

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const double at = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (at - std::floor(at));
}

double spread(const std::vector<double>& values) {
  const double middle = median(values);
  return middle == 0 ? 0 : (quantile(values, 0.75) - quantile(values, 0.25)) / std::abs(middle);
}

}  // namespace linecrypt::bench
