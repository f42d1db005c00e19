// Report: collects what is wrong with one configuration file; and the words its messages are made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/load.hpp"

namespace linecrypt::config {

// A place within the one file being read. Line 0: the file as a whole.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

class Report {
 public:
  // More errors than this help nobody; the rest are counted.
  static constexpr std::size_t most = 200;

  explicit Report(std::string file) : file_(std::move(file)) {}

  void error(Position at, std::string_view message) { add(errors_, at, message); }
  void warning(Position at, std::string_view message) { add(warnings_, at, message); }
  [[nodiscard]] Place place(Position at) const { return {file_, at.line, at.column}; }
  [[nodiscard]] std::size_t error_count() const noexcept { return errors_.size(); }

  // Moves everything into `loaded`, in the file's order.
  void finish(Loaded& loaded);

 private:
  void add(std::vector<Diagnostic>& list, Position at, std::string_view message);

  std::string file_;
  std::vector<Diagnostic> errors_;
  std::vector<Diagnostic> warnings_;
};

// `text` in double quotes for a message, at most this much of it.
inline constexpr std::size_t longest_quotation = 80;
[[nodiscard]] std::string quoted(std::string_view text);

// Replaces what may be key material by "(withheld)": a run of 20 or more hex digits, or 24 or more in groups. Every
// message passes through it, so that a key in the wrong place of a file is not repeated in a log.
[[nodiscard]] std::string withhold_hex(std::string_view message);

// "line 12": the place of the first of two.
[[nodiscard]] std::string line_of(Position at);

// "a, b, c"
[[nodiscard]] std::string joined(const std::vector<std::string>& words);

// The candidate that `word` is most likely a slip of; empty when none is near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace linecrypt::config
