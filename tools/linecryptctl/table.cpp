#include "tools/linecryptctl/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace linecrypt::ctl {

namespace {

const std::string& cell(const std::vector<std::string>& row, std::size_t column) {
  static const std::string empty;
  return column < row.size() ? row[column] : empty;
}

}  // namespace

std::string Table::text() const {
  // 1. How wide each column is.
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = columns_[c].title.size();
    for (const auto& row : rows_) width = std::max(width, cell(row, c).size());
    widths.push_back(width);
  }

  // 2. Titles, then rows; no blanks at the end of a line.
  std::string out;
  const auto put_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c != 0) line += "  ";
      line += columns_[c].align == Align::right ? fmt::format("{:>{}}", cell_of(c), widths[c])
                                                : fmt::format("{:<{}}", cell_of(c), widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    if (!out.empty()) out += '\n';
    out += line;
  };
  put_line([&](std::size_t c) { return columns_[c].title; });
  for (const auto& row : rows_) put_line([&](std::size_t c) { return cell(row, c); });
  return out;
}

}  // namespace linecrypt::ctl
