#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tools/linecrypt-bench/report/report.hpp"

namespace linecrypt::bench {
namespace {

constexpr const char* head = R"(<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --back: #ffffff; --text: #1b1f24; --soft: #5b6470; --line: #d9dee4;
  --c0: #0b5fa5; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; --c4: #b91c1c; --c5: #0e7490; --c6: #854d0e; --c7: #4b5563; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --text: #e6e9ed; --soft: #9aa4b0; --line: #343b44;
  --c0: #6cb6ff; --c1: #fb923c; --c2: #4ade80; --c3: #c084fc; --c4: #f87171; --c5: #22d3ee; --c6: #facc15; --c7: #cbd5e1; } }
body { background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; } th { color: var(--soft); font-weight: 600; }
.machine td { white-space: normal; } .machine td:first-child { color: var(--soft); white-space: nowrap; }
svg { width: 100%; max-width: 820px; height: auto; margin: 1em 0; display: block; }
svg text { fill: var(--text); font: 12px system-ui, sans-serif; } svg .title { font-weight: 600; font-size: 14px; } svg .tick { fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; } svg polyline { stroke-width: 2; }
</style>
)";

std::string row_of(const std::vector<std::string>& cells, const char* tag) {
  std::string out = "<tr>";
  for (const std::string& cell : cells) out += fmt::format("<{0}>{1}</{0}>", tag, escape(cell));
  return out + "</tr>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n";
  out += fmt::format("<title>{}</title>\n{}</head>\n<body>\n<h1>{}</h1>\n", escape(report.title), head,
                     escape(report.title));
  out += "<table class=\"machine\">\n";
  for (const auto& [name, value] : report.machine) out += row_of({name, value}, "td");
  out += "</table>\n<ul>\n";
  for (const std::string& note : report.notes) out += fmt::format("<li>{}</li>\n", escape(note));
  out += "</ul>\n";
  for (const Plot& plot : report.plots) out += to_svg(plot) + "\n";
  for (const Table& table : report.tables) {
    if (table.rows.empty()) continue;
    out += fmt::format("<h2>{}</h2>\n<div class=\"wide\"><table>\n", escape(table.title)) + row_of(table.columns, "th");
    for (const auto& row : table.rows) out += row_of(row, "td");
    out += "</table></div>\n";
  }
  return out + "</body>\n</html>\n";
}

Result<void> write_html(const Report& report, const std::string& path) {
  std::ofstream file(path);
  file << to_html(report);
  file.flush();
  if (!file) return Error{fmt::format("--report {}: {}", path, std::strerror(errno))};
  return {};
}

}  // namespace linecrypt::bench
