#include "tools/linecrypt-bench/scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/scale_work/measurements.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"

namespace linecrypt::bench {
namespace {

using scale::ControlRow;
using scale::LookupRow;
using scale::PacketRow;

// The software engine's 2^20 but for those that rekeying needs beside them.
constexpr std::uint32_t sas_most = 1'000'000;

struct Options {
  CommonOptions common;
  scale::Options scale;
  std::vector<std::string> parts{"control", "lookup", "packets"};
  [[nodiscard]] bool wants(const char* part) const {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  }
};

std::string thousands(double value) {
  return value >= 1e6 ? fmt::format("{:.2f} M", value / 1e6) : fmt::format("{:.0f} k", value / 1e3);
}
std::string percent(double part) {
  return fmt::format("{:.1f}", 100 * part);
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options), scale_(options.scale) {}
  int run();

 private:
  [[nodiscard]] std::string claim(double spread) const { return no_claim(spread, options_.common); }
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] bool all_claims() const;
  [[nodiscard]] Report report(const Machine& machine) const;
  [[nodiscard]] nlohmann::json json(const Machine& machine) const;

  const Options& options_;
  scale::Options scale_;
  std::vector<ControlRow> control_;
  std::vector<LookupRow> lookup_;
  std::vector<PacketRow> packets_;
};

std::uint64_t Run::lost() const {
  std::uint64_t sum = 0;
  for (const ControlRow& row : control_) sum += row.lost;
  for (const PacketRow& row : packets_) sum += row.lost;
  return sum;
}

bool Run::all_claims() const {
  const auto good = [this](const auto& row) { return claim(row.spread).empty(); };
  return std::all_of(control_.begin(), control_.end(), good) && std::all_of(lookup_.begin(), lookup_.end(), good) &&
         std::all_of(packets_.begin(), packets_.end(), good);
}

Report Run::report(const Machine& machine) const {
  Report report;
  report.title = fmt::format("linecrypt-bench scale, {} SAs, provider {}", scale_.sas, options_.common.provider);
  report.machine = machine.facts();
  report.notes = {
      fmt::format("Half of the SAs each way. Medians of {} rounds; spread: their interquartile range over the median.",
                  scale_.rounds),
      fmt::format("Control on core {}, worker on core {}. Keys without a journal. Every packet that was sent through "
                  "an SA was opened by its peer and compared; {} were lost.",
                  scale_.control_core, scale_.worker_core, lost()),
      "Lookups: bursts of 32, each found; rte_ipsec_sad by SPI only, with its reader and writer concurrency.",
      "Packets: ESP tunnel, AES-128-GCM, ESN, window 1024, bursts of 32, SAs in random order, those of a thousand "
      "among more scattered over all of them; 'ratio': a thousand to one, more to a thousand that are alone, median of "
      "paired rounds.",
  };
  if (!control_.empty()) {
    Table table{"SAs come and go",
                {"way", "installs/s", "all in s", "removals/s", "rekeys/s", "Mpps", "packets", "lost", "bytes an SA",
                 "spread %", "claim"},
                {}};
    for (const ControlRow& row : control_)
      table.rows.push_back({row.way, thousands(row.installs), fmt::format("{:.2f}", scale_.sas / row.installs),
                            thousands(row.removals), thousands(row.rekeys), fmt::format("{:.2f}", row.mpps),
                            std::to_string(row.packets), std::to_string(row.lost), fmt::format("{:.0f}", row.bytes),
                            percent(row.spread), as_claim(claim(row.spread))});
    report.tables.push_back(std::move(table));
  }
  if (!lookup_.empty()) {
    Table table{"SPI lookups", {"entries", "ours ns", "rte_ipsec_sad ns", "ratio", "spread %", "claim"}, {}};
    for (const LookupRow& row : lookup_)
      table.rows.push_back({std::to_string(row.entries), fmt::format("{:.1f}", row.ours_ns),
                            fmt::format("{:.1f}", row.sad_ns), fmt::format("{:.2f}", row.ratio), percent(row.spread),
                            as_claim(claim(row.spread))});
    report.tables.push_back(std::move(table));
  }
  if (!packets_.empty()) {
    Table table{"Packets",
                {"size", "installed", "used", "egress ns", "ratio", "ingress ns", "ratio", "lost", "spread %", "claim"},
                {}};
    for (const PacketRow& row : packets_)
      table.rows.push_back({std::to_string(row.size), std::to_string(row.installed), std::to_string(row.sas),
                            fmt::format("{:.0f}", row.egress_ns), fmt::format("{:.2f}", row.egress_ratio),
                            fmt::format("{:.0f}", row.ingress_ns), fmt::format("{:.2f}", row.ingress_ratio),
                            std::to_string(row.lost), percent(row.spread), as_claim(claim(row.spread))});
    report.tables.push_back(std::move(table));
  }
  return report;
}

nlohmann::json Run::json(const Machine& machine) const {
  const auto with_claim = [this](nlohmann::json row, double spread) {
    row["spread"] = spread;
    if (const std::string none = claim(spread); !none.empty()) row["no_claim"] = none;
    return row;
  };
  nlohmann::json out{{"sas", scale_.sas},
                     {"provider", options_.common.provider},
                     {"machine", to_json(machine.facts())},
                     {"lost", lost()}};
  for (const ControlRow& row : control_)
    out["control"].push_back(with_claim({{"way", row.way},
                                         {"installs_per_s", row.installs},
                                         {"install_s", scale_.sas / row.installs},
                                         {"removals_per_s", row.removals},
                                         {"rekeys_per_s", row.rekeys},
                                         {"bytes_per_sa", row.bytes},
                                         {"mpps", row.mpps},
                                         {"packets", row.packets},
                                         {"lost", row.lost}},
                                        row.spread));
  for (const LookupRow& row : lookup_)
    out["lookup"].push_back(with_claim({{"entries", row.entries},
                                        {"burst", row.burst},
                                        {"ours_ns", row.ours_ns},
                                        {"sad_ns", row.sad_ns},
                                        {"ratio", row.ratio}},
                                       row.spread));
  for (const PacketRow& row : packets_)
    out["packets"].push_back(with_claim({{"size", row.size},
                                         {"installed", row.installed},
                                         {"sas", row.sas},
                                         {"egress_ns", row.egress_ns},
                                         {"egress_ratio", row.egress_ratio},
                                         {"ingress_ns", row.ingress_ns},
                                         {"ingress_ratio", row.ingress_ratio},
                                         {"lost", row.lost}},
                                        row.spread));
  return out;
}

// 1. The worker's core is the machine's; the control thread takes the first other one.
// 2. The parts that were asked for, on the worker's core but for the first, which has two threads.
int Run::run() {
  // 1.
  auto machine = Machine::pin(options_.common.core);
  if (!machine) return fail(machine.error().message);
  scale_.provider = provider_of(options_.common.provider);
  scale_.spoil_packet = !options_.common.plant_fault.empty();
  scale_.worker_core = machine->core();
  const auto& allowed = machine->allowed();
  const auto other = std::find_if(allowed.begin(), allowed.end(), [&](int core) { return core != machine->core(); });
  scale_.control_core = other == allowed.end() ? scale_.worker_core : *other;
  // 2.
  const auto take = [](auto measured, auto& rows) {
    if (!measured) return fail(measured.error().message, exit_wrong);
    rows = std::move(measured).value();
    return exit_good;
  };
  if (options_.wants("control"))
    if (const int status = take(measure_control(scale_), control_); status != exit_good) return status;
  if (options_.wants("lookup"))
    if (const int status = take(measure_lookup(scale_), lookup_); status != exit_good) return status;
  if (options_.wants("packets"))
    if (const int status = take(measure_packets(scale_), packets_); status != exit_good) return status;
  scale::pin_to(scale_.worker_core);  // where machine's facts say this thread is
  if (lost() != 0) fail(fmt::format("{} packets were lost", lost()));
  const Report done = report(*machine);
  if (options_.common.live())
    for (const Table& table : done.tables) fmt::print("{}", to_text(table));
  const int good = all_claims() ? exit_good : exit_no_claim;
  return finish(options_.common, done, json(*machine), lost() != 0 ? exit_wrong : good);
}

}  // namespace

void add_scale(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "scale",
      "Many SAs: installs, rekeys under traffic, removals, memory, SPI lookups beside rte_ipsec_sad, packets. Exit "
      "status 0: every row is a claim; 1: an error; 2: a packet was lost or an answer wrong; 3: a row's spread is too "
      "wide");
  add_common(*command, options->common, provider_names());
  command->add_option("--sas", options->scale.sas, "SAs installed, half each way, 64 to 1000000")
      ->check(CLI::Range(64U, sas_most))
      ->capture_default_str();
  command->add_option("--rounds", options->scale.rounds, "Interleaved repeats; medians are told")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  command->add_option("--seconds", options->scale.seconds, "Traffic under rekeying, a round")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  command->add_option("--part", options->parts, "Only these parts")
      ->check(CLI::IsMember({"control", "lookup", "packets"}))
      ->delimiter(',');
  command->callback([command, options, &status] {
    if (options->common.quick) {
      if (command->count("--sas") == 0) options->scale.sas = 8192;
      if (command->count("--rounds") == 0) options->scale.rounds = 1;
      if (command->count("--seconds") == 0) options->scale.seconds = 0.2;
    }
    status = Run(*options).run();
  });
}

}  // namespace linecrypt::bench
