// What every measuring command has: options of effort and output, the machine, and the way out.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "linecrypt/engine.hpp"
#include "tools/linecrypt-bench/measure/machine.hpp"
#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/report/report.hpp"

namespace linecrypt::bench {

// Exit statuses of the measuring commands.
inline constexpr int exit_good = 0;
inline constexpr int exit_error = 1;     // options, memory, a peer that cannot be set up
inline constexpr int exit_wrong = 2;     // a result was wrong: no figure of the run is worth anything
inline constexpr int exit_no_claim = 3;  // figures are there, but one at least has too wide a spread or was refused

struct CommonOptions {
  std::string provider = "automatic";
  int core = -1;
  bool quick = false;
  bool json = false;
  bool text_report = false;
  std::string html;
  std::uint32_t pairs = 101;
  double slice_us = 100;
  double spread_limit = 0.1;
  std::string plant_fault;  // for the tests of this program

  [[nodiscard]] Effort effort() const { return {pairs, slice_us * 1000, spread_limit}; }
  // Rows as they come, for a person who waits.
  [[nodiscard]] bool live() const { return !json && !text_report; }
};

// Adds the options of every command; `providers`: the names that --provider takes.
void add_common(CLI::App& command, CommonOptions& options, const std::vector<std::string>& providers);
// Adds --pairs and --slice-us. `pairs_name`: what "--pairs" counts in this command.
void add_effort(CLI::App& command, CommonOptions& options, const std::string& pairs_name);
// After parsing: --quick makes the effort small where it was not given.
void apply_quick(const CLI::App& command, CommonOptions& options);

// The software engine with the provider asked for.
Result<std::unique_ptr<Engine>> make_engine(const CommonOptions& options);

// Why a figure with this spread is no claim; empty where it is one.
[[nodiscard]] std::string no_claim(double spread, const CommonOptions& options);

// The same for people: in a table's column "claim", and behind a row that is shown as it comes.
[[nodiscard]] std::string as_claim(const std::string& no_claim);
[[nodiscard]] std::string as_remark(const std::string& no_claim);
// The status of a run whose figures are all right; `rows` have a no_claim.
template <typename Rows>
[[nodiscard]] int status_of(const Rows& rows, bool refused = false) {
  const bool claims = std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.no_claim.empty(); });
  return claims && !refused ? exit_good : exit_no_claim;
}

[[nodiscard]] nlohmann::json to_json(const Facts& facts);
// A row of two that were compared, as `compare` documents it.
[[nodiscard]] nlohmann::json to_json(const std::string& work, const std::string& peer, std::uint32_t size,
                                     const Comparison& figures, const std::string& no_claim);

// The end of a run: JSON, the text report or nothing on stdout, and the HTML file. Returns `status`, or exit_error
// where the file could not be written.
int finish(const CommonOptions& options, const Report& report, const nlohmann::json& json, int status);

// Says on stderr what went wrong and returns `status`.
int fail(const std::string& message, int status = exit_error);

[[nodiscard]] inline double gbps(std::uint32_t bytes, double ns) {
  return ns > 0 ? 8.0 * bytes / ns : 0;
}

}  // namespace linecrypt::bench
