// Report: what a command found, once, to be shown as text, as JSON's sibling, or as HTML with plots.
#pragma once

#include <string>
#include <vector>

#include "linecrypt/result.hpp"
#include "tools/linecrypt-bench/measure/machine.hpp"

namespace linecrypt::bench {

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

struct Point {
  double x = 0;
  double y = 0;
};
struct Series {
  std::string name;
  std::vector<Point> points;  // by x
};
// Axes that span decades are logarithmic to the base of 2 (x) where asked.
struct Plot {
  std::string title;
  std::string x_label;  // with its unit
  std::string y_label;
  bool logarithmic_x = true;
  std::vector<Series> series;
};

struct Report {
  std::string title;
  std::vector<std::string> notes;  // what the figures are and are not
  Facts machine;
  std::vector<Table> tables;
  std::vector<Plot> plots;
};

// The plot of this title, and a plot's series of this name; begun where there is none. Valid until the next one is.
Plot& plot_of(Report& report, const std::string& title, const std::string& x_label, const std::string& y_label);
Series& series_of(Plot& plot, const std::string& name);

// Plain text at most 120 columns wide, but for tables that are wider by themselves.
[[nodiscard]] std::string to_text(const Report& report);
[[nodiscard]] std::string to_text(const Table& table);
// One file with everything in it: style, plots as inline SVG; light or dark as the reader has it.
[[nodiscard]] std::string to_html(const Report& report);
Result<void> write_html(const Report& report, const std::string& path);

// A plot as an <svg> element that takes its colours from the page.
[[nodiscard]] std::string to_svg(const Plot& plot);
// With the five characters that mean something to HTML written out.
[[nodiscard]] std::string escape(const std::string& text);

}  // namespace linecrypt::bench
