// The names of an enum's values as its declaration has them, so that a value added there is an option here.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linecrypt::bench {
namespace detail {

// "... value = linecrypt::software::ProviderChoice::openssl; ..." in g++, "... value = ...::openssl]" in clang; a
// number in parentheses where no enumerator has that value.
template <auto value>
constexpr std::string_view enumerator_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("value = ") + 8);
  text = text.substr(0, text.find_first_of(";]"));
  const std::size_t colon = text.rfind(':');
  return text.front() == '(' || colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
}

template <typename Enum, int... values>
constexpr auto enumerators(std::integer_sequence<int, values...> /*values*/) {
  return std::array<std::string_view, sizeof...(values)>{enumerator_name<static_cast<Enum>(values)>()...};
}

}  // namespace detail

// Values 0, 1, 2, ... without a gap, at most 16.
template <typename Enum>
std::vector<std::string> enumerator_names() {
  std::vector<std::string> names;
  for (const std::string_view name : detail::enumerators<Enum>(std::make_integer_sequence<int, 16>{})) {
    if (name.empty()) break;
    names.emplace_back(name);
  }
  return names;
}

}  // namespace linecrypt::bench
