// Section: typed access to one table of the file. Every key that is asked for is an allowed one; finish() reports the
// others by name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/report.hpp"
#include "host/config/tree.hpp"

namespace linecrypt::config {

enum class Need : std::uint8_t { optional, required };

template <typename E>
struct Word {
  std::string_view text;
  E value;
};

class Section {
 public:
  // `title` as people know it: "[gateway]", "[[port]]".
  Section(Report& report, const Value& table, std::string title)
      : report_(report), table_(table), title_(std::move(title)) {}

  [[nodiscard]] Report& report() const noexcept { return report_; }
  [[nodiscard]] const Value& table() const noexcept { return table_; }
  [[nodiscard]] const std::string& title() const noexcept { return title_; }
  [[nodiscard]] Place place() const { return report_.place(table_.at); }
  [[nodiscard]] bool has(std::string_view key) const noexcept { return table_.find(key) != nullptr; }
  [[nodiscard]] Position at(std::string_view key) const noexcept { return table_.position_of(key); }
  void error(std::string_view key, std::string_view message) const { report_.error(at(key), message); }
  // True when nothing was reported since the first key of this section was asked for.
  [[nodiscard]] bool sound() const noexcept { return !errors_before_ || report_.error_count() == *errors_before_; }

  // Null when absent (reported where required).
  const Value* find(std::string_view key, Need need = Need::optional);
  // The same, and of this kind; another kind is reported.
  const Value* find(std::string_view key, Kind kind, Need need = Need::optional);
  bool of_kind(std::string_view key, const Value& value, Kind kind) const;

  // Each of these leaves `out` as it is and returns false when the key is absent or wrong; wrong is reported.
  bool boolean(std::string_view key, bool& out);
  bool text(std::string_view key, std::string& out, Need need = Need::optional);
  template <typename T>
  bool integer(std::string_view key, std::int64_t smallest, std::int64_t largest, T& out, Need need = Need::optional) {
    const Value* const value = find(key, Kind::integer, need);
    if (value == nullptr || !in_range(key, *value, smallest, largest)) return false;
    out = static_cast<T>(value->integer);
    return true;
  }
  bool in_range(std::string_view key, const Value& value, std::int64_t smallest, std::int64_t largest) const;
  template <typename E, std::size_t N>
  bool word(std::string_view key, const Word<E> (&words)[N], E& out, Need need = Need::optional) {
    const Value* const value = find(key, Kind::string, need);
    if (value == nullptr) return false;
    std::vector<std::string> allowed;
    for (const Word<E>& candidate : words) {
      if (candidate.text == value->text) {
        out = candidate.value;
        return true;
      }
      allowed.emplace_back(candidate.text);
    }
    wrong_word(key, *value, allowed);
    return false;
  }
  // A value that a parse function reads from text: "1.2.3.4" by IpAddress::parse.
  template <typename T>
  bool parsed(std::string_view key, Result<T> (*parse)(std::string_view), T& out, Need need = Need::optional) {
    const Value* const value = find(key, Kind::string, need);
    return value != nullptr && parsed_value(key, *value, parse, out);
  }
  template <typename T>
  bool parsed_value(std::string_view key, const Value& value, Result<T> (*parse)(std::string_view), T& out) const {
    if (!of_kind(key, value, Kind::string)) return false;
    Result<T> result = parse(value.text);
    if (!result) {
      unreadable(key, value, result.error().message);
      return false;
    }
    out = std::move(result).value();
    return true;
  }

  // Items of an array; none when absent or wrong. `most` items.
  std::span<const Value> items(std::string_view key, std::size_t most, Need need = Need::optional);
  // Tables of an array of tables.
  std::vector<Section> tables(std::string_view key, std::string_view title, std::size_t fewest, std::size_t most);
  std::optional<Section> subtable(std::string_view key, std::string_view title, Need need = Need::optional);

  // Reports every key that was not asked for.
  void finish();

 private:
  void wrong_word(std::string_view key, const Value& value, const std::vector<std::string>& allowed) const;
  void unreadable(std::string_view key, const Value& value, std::string_view why) const;

  Report& report_;
  const Value& table_;
  std::string title_;
  std::optional<std::size_t> errors_before_;
  std::vector<std::string> known_;
};

}  // namespace linecrypt::config
