#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "tools/linecrypt-bench/report/report.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::size_t width = 120;

void wrap(std::string& out, const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::size_t column = indent;
  bool first = true;
  for (std::string word; words >> word; first = false) {
    if (!first && column + 1 + word.size() > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

// Numbers to the right, words to the left: by the first letter of the column's first value.
bool numeric(const Table& table, std::size_t column) {
  return !table.rows.empty() && !table.rows.front()[column].empty() &&
         std::string("0123456789+-").find(table.rows.front()[column][0]) != std::string::npos;
}

}  // namespace

std::string to_text(const Table& table) {
  if (table.rows.empty()) return "";
  std::string out = fmt::format("\n{}\n\n", table.title);
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    std::size_t widest = table.columns[c].size();
    for (const auto& row : table.rows) widest = std::max(widest, row[c].size());
    widths.push_back(widest);
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c)
      text += numeric(table, c) ? fmt::format("  {:>{}}", cells[c], widths[c])
                                : fmt::format("  {:<{}}", cells[c], widths[c]);
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line(table.columns);
  for (const auto& row : table.rows) line(row);
  return out;
}

std::string to_text(const Report& report) {
  std::string out = report.title + "\n\n";
  std::size_t longest = 0;
  for (const auto& [name, value] : report.machine) longest = std::max(longest, name.size());
  for (const auto& [name, value] : report.machine) {
    out += fmt::format("{:<{}}  ", name, longest);
    wrap(out, value, longest + 2);
  }
  if (!report.notes.empty()) out += '\n';
  for (const std::string& note : report.notes) {
    out += "- ";
    wrap(out, note, 2);
  }
  for (const Table& table : report.tables) out += to_text(table);
  return out;
}

}  // namespace linecrypt::bench
