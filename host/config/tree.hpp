// The values of a TOML file as a small tree in the file's order, each with its position. toml++ is used only in
// tree.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/report.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt::config {

enum class Kind : std::uint8_t { string, integer, floating, boolean, date_time, array, table };

// "a string", "an integer", ...
[[nodiscard]] std::string_view kind_name(Kind kind) noexcept;

struct Member;

// Text is cleansed at the end: it may be an inline key.
struct Value {
  Kind kind = Kind::table;
  Position at;
  std::string text;             // string
  std::int64_t integer = 0;     // integer
  bool boolean = false;         // boolean
  std::vector<Value> items;     // array
  std::vector<Member> members;  // table

  Value();
  Value(Value&&) noexcept;
  Value& operator=(Value&&) noexcept;
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value();

  [[nodiscard]] const Value* find(std::string_view key) const noexcept;
  // Position of the value of `key`, or of the table itself where there is none.
  [[nodiscard]] Position position_of(std::string_view key) const noexcept;
};

struct Member {
  std::string key;
  Position at;  // of the key
  Value value;
};

// The root table. A syntax error is reported (toml++ stops at the first) and gives nothing.
[[nodiscard]] std::optional<Value> read_tree(std::string_view text, Report& report);

}  // namespace linecrypt::config
