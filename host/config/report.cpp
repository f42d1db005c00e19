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

// The end of groups of hex digits from `start`, as people write long numbers: "ab:cd:ef", "ab-cd", "0011 2233"; and how
// many digits they have. Behind colons only pairs count: longer groups are an IPv6 address.
struct Groups {
  std::size_t end;
  std::size_t digits;
};
Groups groups_from(std::string_view text, std::size_t start) {
  Groups groups{start, 0};
  std::size_t next = start;
  while (true) {
    const std::size_t end = hex_end(text, next);
    const std::size_t size = end - next;
    const bool after_colon = next > start && text[next - 1] == ':';
    const bool before_colon = end < text.size() && text[end] == ':';
    if (size < 2 || ((after_colon || before_colon) && size != 2)) return groups;
    groups = {end, groups.digits + size};
    if (end == text.size() || std::string_view(":- ").find(text[end]) == std::string_view::npos) return groups;
    next = end + 1;
  }
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
  // Before the cut: a run that is cut short may no longer look like a key.
  const std::string safe = withhold_hex(text);
  return fmt::format("\"{}{}\"", safe.substr(0, longest_quotation), safe.size() > longest_quotation ? "..." : "");
}

std::string withhold_hex(std::string_view message) {
  constexpr std::size_t run_smallest = 20;     // more than a decimal number of 64 bits has
  constexpr std::size_t groups_smallest = 24;  // more than a MAC address or an SCI has
  std::string out;
  std::size_t i = 0;
  while (i < message.size()) {
    if (!is_hex(message[i])) {
      out += message[i++];
      continue;
    }
    const std::size_t run = hex_end(message, i);
    const Groups groups = groups_from(message, i);
    const bool secret = run - i >= run_smallest || groups.digits >= groups_smallest;
    const std::size_t end = secret ? std::max(run, groups.end) : run;
    out += secret ? std::string_view("(withheld)") : message.substr(i, run - i);
    i = end;
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
