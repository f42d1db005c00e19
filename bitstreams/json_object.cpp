#include "bitstreams/json_object.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace linecrypt::bitstreams {
namespace {

const nlohmann::json nothing = nlohmann::json::object();

// What stands there, short enough for a message.
std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, const std::string& file) {
  // The library keeps the last of two fields with one name: who signs a text must not mean another field than who reads
  // it.
  std::vector<std::set<std::string>> names;
  std::string twice;
  const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end && !names.empty()) names.pop_back();
    if (event == Event::key && !names.empty() && !names.back().insert(value.get<std::string>()).second && twice.empty())
      twice = value.get<std::string>();
    return true;
  };
  try {
    nlohmann::json value = nlohmann::json::parse(text, watch);
    if (!twice.empty()) return Error{fmt::format("{}: field '{}' is given twice in one object", file, twice)};
    return value;
  } catch (const nlohmann::json::exception& e) {
    return Error{fmt::format("{}: not JSON: {}", file, e.what())};
  }
}

JsonObject::JsonObject(const nlohmann::json& value, std::string place, Problem& problem)
    : value_(&value), place_(std::move(place)), problem_(&problem) {
  if (value.is_object()) return;
  problem.note(fmt::format("{}: found {}, an object is allowed", place_, shown(value)));
  value_ = &nothing;
}

void JsonObject::only(std::initializer_list<std::string_view> names) {
  for (const auto& [name, value] : value_->items()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      problem_->note(fmt::format("{}: unknown field '{}'; allowed: {}", place_, name, fmt::join(names, ", ")));
  }
}

const nlohmann::json* JsonObject::find(const char* name) const {
  const auto found = value_->find(name);
  return found == value_->end() ? nullptr : &*found;
}

const nlohmann::json* JsonObject::need(const char* name) {
  const nlohmann::json* found = find(name);
  if (found == nullptr) problem_->note(fmt::format("{}: field '{}' is missing", place_, name));
  return found;
}

void JsonObject::note(const char* name, std::string_view found_and_allowed) {
  problem_->note(fmt::format("{}: {}: {}", place_, name, found_and_allowed));
}

std::string JsonObject::text(const char* name, std::size_t longest) {
  const nlohmann::json* found = need(name);
  if (found == nullptr) return {};
  const auto* text = found->get_ptr<const std::string*>();
  const auto printable = [](char c) { return c >= ' ' && c < 127; };
  if (text == nullptr || text->empty() || text->size() > longest ||
      !std::all_of(text->begin(), text->end(), printable)) {
    note(name,
         fmt::format("found {}, a text of 1 to {} printable ASCII characters is allowed", shown(*found), longest));
    return {};
  }
  return *text;
}

std::string JsonObject::one_of(const char* name, std::initializer_list<std::string_view> allowed) {
  const std::string value = text(name);
  if (!value.empty() && std::find(allowed.begin(), allowed.end(), value) == allowed.end())
    note(name, fmt::format("found '{}', allowed: {}", value, fmt::join(allowed, ", ")));
  return value;
}

std::uint64_t JsonObject::number(const char* name, std::uint64_t least, std::uint64_t most) {
  const nlohmann::json* found = need(name);
  if (found == nullptr) return least;
  const bool fits =
      found->is_number_unsigned() && found->get<std::uint64_t>() >= least && found->get<std::uint64_t>() <= most;
  if (!fits) {
    note(name, fmt::format("found {}, an integer from {} to {} is allowed", shown(*found), least, most));
    return least;
  }
  return found->get<std::uint64_t>();
}

bool JsonObject::boolean(const char* name) {
  const nlohmann::json* found = need(name);
  if (found == nullptr) return false;
  if (!found->is_boolean()) {
    note(name, fmt::format("found {}, true or false is allowed", shown(*found)));
    return false;
  }
  return found->get<bool>();
}

JsonObject JsonObject::object(const char* name) {
  const nlohmann::json* found = need(name);
  return {found == nullptr ? nothing : *found, fmt::format("{}: {}", place_, name), *problem_};
}

std::vector<JsonObject> JsonObject::objects(const char* name) {
  std::vector<JsonObject> list;
  const nlohmann::json* found = need(name);
  if (found == nullptr) return list;
  if (!found->is_array()) {
    note(name, fmt::format("found {}, a list of objects is allowed", shown(*found)));
    return list;
  }
  for (std::size_t i = 0; i < found->size(); ++i)
    list.emplace_back((*found)[i], fmt::format("{}: {}[{}]", place_, name, i), *problem_);
  return list;
}

std::vector<std::string> JsonObject::texts(const char* name) {
  std::vector<std::string> list;
  const nlohmann::json* found = need(name);
  if (found == nullptr) return list;
  const auto is_text = [](const nlohmann::json& item) { return item.is_string(); };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), is_text)) {
    note(name, fmt::format("found {}, a list of texts is allowed", shown(*found)));
    return list;
  }
  for (const auto& item : *found) list.push_back(item.get<std::string>());
  return list;
}

std::vector<std::string> JsonObject::names() const {
  std::vector<std::string> list;
  for (const auto& [name, value] : value_->items()) list.push_back(name);
  return list;
}

}  // namespace linecrypt::bitstreams
