#include "tools/linecrypt-bench/common.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"

namespace linecrypt::bench {

void add_effort(CLI::App& command, CommonOptions& options, const std::string& pairs_name) {
  command.add_option("--pairs", options.pairs, pairs_name)->check(CLI::Range(3, 10000))->capture_default_str();
  command.add_option("--slice-us", options.slice_us, "Microseconds of timed work in a slice")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
}

void add_common(CLI::App& command, CommonOptions& options, const std::vector<std::string>& providers) {
  command.add_option("--provider", options.provider, "What computes our AES-GCM")
      ->check(CLI::IsMember(providers))
      ->capture_default_str();
  command.add_option("--core", options.core, "The core to be pinned to (the last one allowed)")
      ->check(CLI::Range(0, 1023));
  command
      .add_option("--spread-limit", options.spread_limit,
                  "The widest spread (interquartile range / median) that is still a claim")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  command.add_flag("--quick", options.quick, "Little of everything: shows that it works, not how fast");
  command.add_flag("--json", options.json, "JSON on stdout");
  command.add_flag("--text-report", options.text_report,
                   "The report as text on stdout, with commit and CPU, to be kept");
  command.add_option("--report", options.html, "Also an HTML file with plots, all in one");
  command.add_option("--plant-fault", options.plant_fault, "For tests: spoil a result, which must be found")
      ->check(CLI::IsMember({"ours", "peer"}))
      ->group("");
}

void apply_quick(const CLI::App& command, CommonOptions& options) {
  if (!options.quick) return;
  if (command.count("--pairs") == 0) options.pairs = 5;
  if (command.count("--slice-us") == 0) options.slice_us = 50;
}

Result<std::unique_ptr<Engine>> make_engine(const CommonOptions& options) {
  return software::make_software_engine({provider_of(options.provider)});
}

std::string no_claim(double spread, const CommonOptions& options) {
  if (spread <= options.spread_limit) return {};
  return fmt::format("spread {:.1f} %, allowed at most {:.1f} %", 100 * spread, 100 * options.spread_limit);
}

std::string as_claim(const std::string& no_claim) {
  return no_claim.empty() ? "yes" : as_remark(no_claim);
}

std::string as_remark(const std::string& no_claim) {
  return no_claim.empty() ? "" : "NO CLAIM: " + no_claim;
}

nlohmann::json to_json(const Facts& facts) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : facts) json[name] = value;
  return json;
}

nlohmann::json to_json(const std::string& work, const std::string& peer, std::uint32_t size, const Comparison& figures,
                       const std::string& no_claim) {
  nlohmann::json row = {{"work", work},
                        {"peer", peer},
                        {"size", size},
                        {"ratio", figures.ratio},
                        {"ours_gbps", gbps(size, figures.ours_ns)},
                        {"peer_gbps", gbps(size, figures.peer_ns)},
                        {"spread", figures.spread}};
  if (!no_claim.empty()) row["no_claim"] = no_claim;
  return row;
}

int finish(const CommonOptions& options, const Report& report, const nlohmann::json& json, int status) {
  if (options.json) fmt::print("{}\n", json.dump(1));
  if (options.text_report) fmt::print("{}", to_text(report));
  if (options.live()) {
    fmt::print("\n");
    for (const auto& [name, value] : report.machine) fmt::print("{}: {}\n", name, value);
    for (const std::string& note : report.notes) fmt::print("- {}\n", note);
  }
  if (!options.html.empty())
    if (auto written = write_html(report, options.html); !written) return fail(written.error().message);
  return status;
}

int fail(const std::string& message, int status) {
  fmt::print(stderr, "linecrypt-bench: {}\n", message);
  return status;
}

}  // namespace linecrypt::bench
