#include "host/config/section.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace linecrypt::config {

const Value* Section::find(std::string_view key, Need need) {
  if (!errors_before_) errors_before_ = report_.error_count();
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const Value* const value = table_.find(key);
  if (value == nullptr && need == Need::required)
    report_.error(table_.at, fmt::format("{} has no \"{}\", which is needed", title_, key));
  return value;
}

const Value* Section::find(std::string_view key, Kind kind, Need need) {
  const Value* const value = find(key, need);
  return value != nullptr && of_kind(key, *value, kind) ? value : nullptr;
}

bool Section::of_kind(std::string_view key, const Value& value, Kind kind) const {
  if (value.kind == kind) return true;
  report_.error(value.at, fmt::format("{} is {}, {} is needed", key, kind_name(value.kind), kind_name(kind)));
  return false;
}

bool Section::boolean(std::string_view key, bool& out) {
  const Value* const value = find(key, Kind::boolean);
  if (value == nullptr) return false;
  out = value->boolean;
  return true;
}

bool Section::text(std::string_view key, std::string& out, Need need) {
  const Value* const value = find(key, Kind::string, need);
  if (value == nullptr) return false;
  out = value->text;
  return true;
}

bool Section::in_range(std::string_view key, const Value& value, std::int64_t smallest, std::int64_t largest) const {
  if (value.integer >= smallest && value.integer <= largest) return true;
  report_.error(value.at, fmt::format("{} = {}, allowed: {} to {}", key, value.integer, smallest, largest));
  return false;
}

std::span<const Value> Section::items(std::string_view key, std::size_t most, Need need) {
  const Value* const value = find(key, Kind::array, need);
  if (value == nullptr) return {};
  if (value->items.size() > most || (value->items.empty() && need == Need::required)) {
    report_.error(value->at, fmt::format("{} has {} entries, allowed: {} to {}", key, value->items.size(),
                                         need == Need::required ? 1 : 0, most));
    return {};
  }
  return value->items;
}

std::vector<Section> Section::tables(std::string_view key, std::string_view title, std::size_t fewest,
                                     std::size_t most) {
  std::vector<Section> sections;
  const Value* const value = find(key);
  if (value == nullptr) {
    if (fewest > 0) report_.error(table_.at, fmt::format("{} has no {}, which is needed", title_, title));
    return sections;
  }
  const bool array = value->kind == Kind::array;
  for (const Value& item : value->items) {
    if (item.kind == Kind::table) {
      sections.emplace_back(report_, item, std::string(title));
    } else {
      report_.error(item.at, fmt::format("{} holds {}, tables are needed: {}", key, kind_name(item.kind), title));
    }
  }
  if (!array) {
    report_.error(value->at,
                  fmt::format("{} is {}, a list of tables is needed: {}", key, kind_name(value->kind), title));
  } else if (value->items.size() < fewest || value->items.size() > most) {
    report_.error(value->at,
                  fmt::format("{} {} sections, allowed: {} to {}", value->items.size(), title, fewest, most));
  }
  return sections;
}

std::optional<Section> Section::subtable(std::string_view key, std::string_view title, Need need) {
  const Value* const value = find(key);
  if (value == nullptr) {
    if (need == Need::required) report_.error(table_.at, fmt::format("{} has no {}, which is needed", title_, title));
    return std::nullopt;
  }
  if (value->kind != Kind::table) {
    report_.error(value->at, key == title
                                 ? fmt::format("{} is {}, a table is needed", key, kind_name(value->kind))
                                 : fmt::format("{} is {}, a table is needed: {}", key, kind_name(value->kind), title));
    return std::nullopt;
  }
  return Section(report_, *value, std::string(title));
}

void Section::finish() {
  for (const Member& member : table_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    const std::string near = nearest(member.key, known_);
    if (near.empty())
      report_.error(member.at,
                    fmt::format("unknown key {} in {}, allowed: {}", quoted(member.key), title_, joined(known_)));
    else
      report_.error(member.at,
                    fmt::format("unknown key {} in {}, did you mean \"{}\"?", quoted(member.key), title_, near));
  }
}

void Section::wrong_word(std::string_view key, const Value& value, const std::vector<std::string>& allowed) const {
  std::vector<std::string> in_quotes;
  in_quotes.reserve(allowed.size());
  for (const std::string& word : allowed) in_quotes.push_back('"' + word + '"');
  report_.error(value.at, fmt::format("{} = {}, allowed: {}", key, quoted(value.text), joined(in_quotes)));
}

void Section::unreadable(std::string_view key, const Value& value, std::string_view why) const {
  // The parse functions quote what they were given; a text too long to be meant is quoted in part.
  if (value.text.size() > longest_quotation)
    report_.error(value.at, fmt::format("{} = {}, which is too long", key, quoted(value.text)));
  else
    report_.error(value.at, fmt::format("{}: {}", key, why));
}

}  // namespace linecrypt::config
