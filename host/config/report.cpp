#include "host/config/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace linecrypt::config {
namespace {

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The end of a run of hex digits from `start`.
std::size_t hex_end(std::string_view text, std::size_t start) {
  while (start < text.size() && is_hex(text[start])) ++start;
  return start;
}

// The end of "ab:cd:ef..." from `start`, and how many pairs it has; a MAC address has 6, an SCI 8.
std::pair<std::size_t, std::size_t> pairs_end(std::string_view text, std::size_t start) {
  std::size_t pairs = 0;
  std::size_t end = start;
  while (true) {
    const std::size_t digits = hex_end(text, end) - end;
    if (digits != 2) break;
    ++pairs;
    end += 2;
    if (end + 2 < text.size() && (text[end] == ':' || text[end] == '-' || text[end] == ' ') && is_hex(text[end + 1]))
      ++end;
    else
      break;
  }
  return {end, pairs};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Diagnostic::text() const {
  if (place.line == 0) return fmt::format("{}: {}", place.file, message);
  return fmt::format("{}:{}:{}: {}", place.file, place.line, place.column, message);
}

void Report::add(std::vector<Diagnostic>& list, Position at, std::string_view message) {
  // One line a message, whatever the file holds.
  std::string line;
  for (const char c : withhold_hex(message)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      line += c;
  }
  list.push_back({place(at), std::move(line)});
}

void Report::finish(Loaded& loaded) {
  const auto earlier = [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  };
  for (auto* list : {&errors_, &warnings_}) {
    std::stable_sort(list->begin(), list->end(), earlier);
    if (list->size() > most) {
      const Place last = (*list)[most].place;
      const std::size_t rest = list->size() - most;
      list->resize(most);
      list->push_back({last, fmt::format("and {} more from here on", rest)});
    }
  }
  loaded.errors = std::move(errors_);
  loaded.warnings = std::move(warnings_);
}

std::string quoted(std::string_view text) {
  return fmt::format("\"{}{}\"", text.substr(0, longest_quotation), text.size() > longest_quotation ? "..." : "");
}

std::string withhold_hex(std::string_view message) {
  constexpr std::size_t digits_smallest = 16;
  constexpr std::size_t pairs_smallest = 12;
  std::string out;
  std::size_t i = 0;
  while (i < message.size()) {
    if (is_hex(message[i])) {  // the start of a run: runs are consumed whole
      const std::size_t run = hex_end(message, i);
      const auto [end, pairs] = pairs_end(message, i);
      if (run - i >= digits_smallest || pairs >= pairs_smallest) {
        out += "(withheld)";
        i = std::max(run, end);
        continue;
      }
      out += message.substr(i, run - i);
      i = run;
      continue;
    }
    out += message[i++];
  }
  return out;
}

std::string line_of(Position at) {
  return fmt::format("line {}", at.line);
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > 64) return {};
  std::string best;
  // One slip in three letters is still the same word.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace linecrypt::config
