// Key references in the file: "file:/path", {exec = ["/path", ...]}, "inline:HEX".
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "host/config/config.hpp"
#include "host/config/section.hpp"

namespace linecrypt::config {

// What a reference must give. Sizes of 0: not known, because what decides them is itself wrong.
struct KeyPolicy {
  bool allow_inline = false;
  std::size_t key_bytes = 0;
  std::size_t salt_bytes = 0;  // 0: keys without a salt
};

struct KeyAndSaltReference {
  std::optional<KeyReference> key;
  std::optional<KeyReference> salt;
};
// Reads `key` (needed) and `salt` (allowed where there is one). No message holds a character of an inline value.
KeyAndSaltReference read_key_and_salt(Section& section, const KeyPolicy& policy);

// Where the bytes come from, for a message: "file:/path", "exec of /path", "an inline value".
[[nodiscard]] std::string source_text(const KeyReference& reference);
// True when both surely give the same bytes: one file, one command line, equal inline values.
[[nodiscard]] bool same_source(const KeyReference& a, const KeyReference& b);

}  // namespace linecrypt::config
