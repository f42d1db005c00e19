// Reads and validates a configuration file as a whole.
#pragma once

#include <string>
#include <vector>

#include "host/config/config.hpp"

namespace linecrypt::config {

struct Diagnostic {
  Place place;
  std::string message;  // what was found, what is allowed
  // "file:line:column: message"
  [[nodiscard]] std::string text() const;
};

struct Loaded {
  Config config;                     // meaningful only when `errors` is empty
  std::vector<Diagnostic> errors;    // every one that was found, in the file's order
  std::vector<Diagnostic> warnings;  // e.g. static keys with accept-risk
};

// Parses and checks `path`: syntax, unknown keys, types, ranges, references between sections, the rules of check() for
// each SA, ownership and mode of the file, its directory and the state directory (DESIGN 3.10). Reads no key.
Loaded load(const std::string& path);
// The same over text, for tests and fuzzing; file modes are not checked.
Loaded parse(std::string_view text, const std::string& name);

// Reads the bytes of a key reference (file: modes checked; exec: run as DESIGN 3.10 says). `expected` bytes exactly.
// The error names the place and what is wrong, never the bytes.
template <std::size_t N>
Result<Secret<N>> read_key(const KeyReference& reference, std::size_t expected);

}  // namespace linecrypt::config
