// LINECRYPT_LONG=1 in the environment runs the long form of tests that have one.
#pragma once

#include <cstdlib>
#include <string_view>

namespace linecrypt::test {

inline bool long_form() {
  const char* value = std::getenv("LINECRYPT_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace linecrypt::test
