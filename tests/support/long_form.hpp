// LINECRYPT_LONG=1 in the environment runs the long form of tests that have one. LINECRYPT_SAMPLED=1, of slow builds on
// the emulated card: a sample of each sweep.
#pragma once

#include <cstdlib>
#include <string_view>

namespace linecrypt::test {

inline bool asked_for(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string_view(value) == "1";
}
inline bool long_form() {
  return asked_for("LINECRYPT_LONG");
}
inline bool sampled_form() {
  return asked_for("LINECRYPT_SAMPLED");
}

}  // namespace linecrypt::test
