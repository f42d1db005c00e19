#include "host/config/tree.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

namespace linecrypt::config {

std::string_view kind_name(Kind kind) noexcept {
  constexpr std::string_view names[] = {
      "a string", "an integer", "a number with a fraction", "a boolean", "a date or time", "an array", "a table"};
  return names[static_cast<std::size_t>(kind)];
}

Value::Value() = default;
Value::Value(Value&& other) noexcept = default;
Value& Value::operator=(Value&& other) noexcept = default;
Value::~Value() {
  cleanse(text.data(), text.size());
}

const Value* Value::find(std::string_view key) const noexcept {
  const auto found = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

Position Value::position_of(std::string_view key) const noexcept {
  const Value* const value = find(key);
  return value != nullptr ? value->at : at;
}

namespace {

Position position(const toml::source_region& source) {
  return {static_cast<std::uint32_t>(source.begin.line), static_cast<std::uint32_t>(source.begin.column)};
}

// Copies `node` into our tree and cleanses the strings it copied: one of them may be a key.
Value convert(toml::node& node) {
  Value value;
  value.at = position(node.source());
  switch (node.type()) {
    case toml::node_type::string: {
      std::string& text = node.as_string()->get();
      value.kind = Kind::string;
      value.text = text;
      cleanse(text.data(), text.size());
      break;
    }
    case toml::node_type::integer:
      value.kind = Kind::integer;
      value.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.kind = Kind::floating;
      break;
    case toml::node_type::boolean:
      value.kind = Kind::boolean;
      value.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::array:
      value.kind = Kind::array;
      for (toml::node& item : *node.as_array()) value.items.push_back(convert(item));
      break;
    case toml::node_type::table: {
      value.kind = Kind::table;
      for (auto&& [key, item] : *node.as_table())
        value.members.push_back({std::string(key.str()), position(key.source()), convert(item)});
      // toml++ sorts by name.
      std::stable_sort(value.members.begin(), value.members.end(), [](const Member& a, const Member& b) {
        return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
      });
      break;
    }
    default:
      value.kind = Kind::date_time;
      break;
  }
  return value;
}

// toml++ quotes what it could not read, which may be a key without its quotes: only single characters and plain words
// of lower-case letters (names of sections) are kept.
std::string without_quotations(std::string_view description) {
  const auto harmless = [](std::string_view word) {
    if (word.size() <= 1) return true;
    if (word.size() == 6 && word.starts_with("\\u")) return true;
    const bool plain =
        std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; });
    const bool hex = std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'f'; });
    return plain && !hex;
  };
  std::string out;
  std::size_t i = 0;
  while (i < description.size()) {
    const std::size_t open = description.find('\'', i);
    const std::size_t close = open == std::string_view::npos ? open : description.rfind('\'');
    if (close == std::string_view::npos || close <= open) return out += description.substr(i);
    // Between the first and the next quote; an unreadable quotation runs to the last one.
    const std::size_t next = description.find('\'', open + 1);
    out += description.substr(i, open - i);
    const std::string_view word = description.substr(open + 1, next - open - 1);
    if (harmless(word)) {
      out += '\'';
      out += word;
      out += '\'';
      i = next + 1;
    } else {
      out += "(withheld)";
      i = close + 1;
    }
  }
  return out;
}

}  // namespace

std::optional<Value> read_tree(std::string_view text, Report& report) {
  try {
    toml::table root = toml::parse(text);
    Value tree = convert(root);
    tree.at = {};
    return tree;
  } catch (const toml::parse_error& error) {
    report.error(position(error.source()), "not valid TOML: " + without_quotations(error.description()));
    return std::nullopt;
  }
}

}  // namespace linecrypt::config
