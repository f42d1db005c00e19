// Plots: lines with points over two axes, nothing else. Written by hand since Debian's plotters want a program of their
// own at run time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/linecrypt-bench/report/report.hpp"

namespace linecrypt::bench {
namespace {

constexpr double width = 720;
constexpr double height = 400;
constexpr double left = 70;
constexpr double right = 180;  // the legend
constexpr double top = 34;
constexpr double bottom = 56;
constexpr std::size_t colours = 8;  // --c0 ... of the page

// 1, 2 or 5 times a power of ten, so that about six of them reach `largest`.
double step_of(double largest) {
  const double raw = largest / 6;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:g}", value);
}

}  // namespace

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// 1. The range of each axis; y begins at 0, so that heights compare.
// 2. Axes, their ticks and labels.
// 3. Lines, points and the legend.
std::string to_svg(const Plot& plot) {
  // 1.
  std::vector<double> ticks;
  double highest = 0;
  for (const Series& series : plot.series) {
    for (const Point& point : series.points) {
      ticks.push_back(point.x);
      highest = std::max(highest, point.y);
    }
  }
  if (ticks.empty()) return {};
  if (highest <= 0) highest = 1;
  std::sort(ticks.begin(), ticks.end());
  ticks.erase(std::unique(ticks.begin(), ticks.end()), ticks.end());
  const auto scale = [&](double x) { return plot.logarithmic_x ? std::log2(std::max(x, 1e-9)) : x; };
  const double from = scale(ticks.front());
  const double to = std::max(scale(ticks.back()), from + 1e-9);
  const double step = step_of(highest);
  const double ceiling = std::ceil(highest / step) * step;
  const auto at_x = [&](double x) { return left + (scale(x) - from) / (to - from) * (width - left - right); };
  const auto at_y = [&](double y) { return height - bottom - y / ceiling * (height - top - bottom); };
  // 2.
  std::string out =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", width, height, escape(plot.title));
  out += fmt::format(R"(<text class="title" x="{}" y="18">{}</text>)", left, escape(plot.title));
  for (double y = 0; y <= ceiling * 1.0001; y += step) {
    out += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", left, width - right, at_y(y),
                       at_y(y));
    out += fmt::format(R"(<text class="tick" text-anchor="end" x="{}" y="{:.1f}">{}</text>)", left - 6, at_y(y) + 4,
                       short_number(y));
  }
  double last = -100;
  for (const double x : ticks) {
    if (at_x(x) - last < 34) continue;
    last = at_x(x);
    out += fmt::format(R"(<text class="tick" text-anchor="middle" x="{:.1f}" y="{}">{}</text>)", last,
                       height - bottom + 18, short_number(x));
  }
  out += fmt::format(R"(<text class="label" text-anchor="middle" x="{}" y="{}">{}</text>)", (left + width - right) / 2,
                     height - 12, escape(plot.x_label));
  out += fmt::format(
      R"svg(<text class="label" text-anchor="middle" transform="translate(16 {}) rotate(-90)">{}</text>)svg",
      (top + height - bottom) / 2, escape(plot.y_label));
  // 3.
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    const std::string colour = fmt::format("var(--c{})", i % colours);
    std::string path;
    for (const Point& point : series.points)
      path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", at_x(point.x), at_y(point.y));
    out += fmt::format(R"(<polyline fill="none" style="stroke:{}" points="{}"/>)", colour, path);
    for (const Point& point : series.points)
      out += fmt::format(
          R"(<circle r="3.5" style="fill:{}" cx="{:.1f}" cy="{:.1f}"><title>{}: {:g}, {:.4g}</title></circle>)", colour,
          at_x(point.x), at_y(point.y), escape(series.name), point.x, point.y);
    const double y = top + 14 + 20 * static_cast<double>(i);
    out += fmt::format(R"(<circle r="4" style="fill:{}" cx="{}" cy="{}"/><text class="tick" x="{}" y="{}">{}</text>)",
                       colour, width - right + 16, y, width - right + 26, y + 4, escape(series.name));
  }
  return out + "</svg>";
}

}  // namespace linecrypt::bench
