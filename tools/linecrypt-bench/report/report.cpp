#include "tools/linecrypt-bench/report/report.hpp"

#include <algorithm>

namespace linecrypt::bench {

Plot& plot_of(Report& report, const std::string& title, const std::string& x_label, const std::string& y_label) {
  auto& plots = report.plots;
  const auto found = std::find_if(plots.begin(), plots.end(), [&](const Plot& one) { return one.title == title; });
  return found != plots.end() ? *found : plots.emplace_back(Plot{title, x_label, y_label, true, {}});
}

Series& series_of(Plot& plot, const std::string& name) {
  auto& all = plot.series;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Series& one) { return one.name == name; });
  return found != all.end() ? *found : all.emplace_back(Series{name, {}});
}

}  // namespace linecrypt::bench
