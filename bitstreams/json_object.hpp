// JsonObject: one object of a JSON file of ours, read strictly: a field that is missing, unknown, given twice, of
// another type or out of range is an error that names the place, what was found and what is allowed.
//
// The first problem sticks in the shared Problem; readers then return empty values, so that a whole file reads as
// straight lines and is judged once at the end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt::bitstreams {

class Problem {
 public:
  void note(std::string text) {
    if (!first_) first_ = std::move(text);
  }
  [[nodiscard]] bool any() const { return first_.has_value(); }
  [[nodiscard]] Error error() const { return Error{first_.value_or("")}; }

 private:
  std::optional<std::string> first_;
};

// The whole text as JSON; syntax errors and names given twice are refused. `file` starts every message.
Result<nlohmann::json> parse_json(std::string_view text, const std::string& file);

class JsonObject {
 public:
  // `place`: what messages begin with, such as "card.json: kernels[1]".
  JsonObject(const nlohmann::json& value, std::string place, Problem& problem);

  // Names allowed here; any other field is a problem.
  void only(std::initializer_list<std::string_view> names);

  [[nodiscard]] bool has(const char* name) const { return find(name) != nullptr; }
  std::string text(const char* name, std::size_t longest = 255);
  std::string one_of(const char* name, std::initializer_list<std::string_view> allowed);
  std::uint64_t number(const char* name, std::uint64_t least, std::uint64_t most);
  bool boolean(const char* name);
  JsonObject object(const char* name);
  std::vector<JsonObject> objects(const char* name);
  std::vector<std::string> texts(const char* name);

  [[nodiscard]] const std::string& place() const { return place_; }
  [[nodiscard]] std::vector<std::string> names() const;
  void note(const char* name, std::string_view found_and_allowed);

 private:
  [[nodiscard]] const nlohmann::json* find(const char* name) const;
  const nlohmann::json* need(const char* name);

  const nlohmann::json* value_;
  std::string place_;
  Problem* problem_;
};

}  // namespace linecrypt::bitstreams
