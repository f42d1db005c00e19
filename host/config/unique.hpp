// Unique: values that may stand in a file once.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>

#include "host/config/draft.hpp"
#include "host/config/report.hpp"

namespace linecrypt::config {

// Reports the second and later use of a value, naming the first.
template <typename Key>
class Unique {
 public:
  explicit Unique(Report& report) : report_(report) {}
  // `what` as in "the name of a port".
  bool add(const Key& key, Position at, const std::string& text, std::string_view what) {
    const auto [first, fresh] = first_.try_emplace(key, at);
    if (!fresh) report_.error(at, fmt::format("{} is already {} at {}", text, what, line_of(first->second)));
    return fresh;
  }

 private:
  Report& report_;
  std::map<Key, Position> first_;
};

}  // namespace linecrypt::config
