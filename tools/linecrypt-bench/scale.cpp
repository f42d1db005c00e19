#include "tools/linecrypt-bench/scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/linecrypt-bench/scale_work/measurements.hpp"

namespace linecrypt::bench {
namespace {

using namespace scale;

struct Command {
  Options scale;
  bool quick = false;
  bool json = false;
  std::vector<std::string> parts{"control", "lookup", "packets"};
  [[nodiscard]] bool wants(const char* part) const {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  }
};

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown CPU";
}

double load() {
  std::ifstream file("/proc/loadavg");
  double value = 0;
  file >> value;
  return value;
}

std::string kilo(double value) {
  return value >= 1e6 ? fmt::format("{:.2f} M", value / 1e6) : fmt::format("{:.0f} k", value / 1e3);
}

void print(const std::vector<ControlRow>& rows, std::uint32_t sas) {
  fmt::print(
      "\n{} SAs, half each way, keys without a journal\n{:24}{:>12}{:>7}{:>12}{:>12}{:>9}{:>10}{:>8}{:>12}{:>6}\n", sas,
      "way", "installs/s", "all s", "removals/s", "rekeys/s", "spread", "bytes/SA", "Mpps", "packets", "lost");
  for (const ControlRow& row : rows)
    fmt::print("{:24}{:>12}{:>7.2f}{:>12}{:>12}{:>8.0f}%{:>10.0f}{:>8.2f}{:>12}{:>6}\n", row.way, kilo(row.installs),
               sas / row.installs, kilo(row.removals), kilo(row.rekeys), row.spread * 100, row.bytes, row.mpps,
               row.packets, row.lost);
}

void print(const std::vector<LookupRow>& rows) {
  fmt::print(
      "\nSPI lookups, bursts of 32, each found (rte_ipsec_sad: SPI only, RW "
      "concurrency)\n{:>10}{:>12}{:>16}{:>8}{:>9}\n",
      "entries", "ours ns", "rte_ipsec_sad", "ratio", "spread");
  for (const LookupRow& row : rows)
    fmt::print("{:>10}{:>12.1f}{:>16.1f}{:>8.2f}{:>8.0f}%\n", row.entries, row.ours_ns, row.sad_ns, row.ratio,
               row.spread * 100);
}

void print(const std::vector<PacketRow>& rows) {
  fmt::print(
      "\nESP tunnel, AES-128-GCM, ESN, window 1024, bursts of 32, SAs in random order; 'to before': to the row above\n"
      "{:>6}{:>10}{:>12}{:>11}{:>13}{:>11}{:>6}\n",
      "size", "SAs", "egress ns", "to before", "ingress ns", "to before", "lost");
  for (const PacketRow& row : rows)
    fmt::print("{:>6}{:>10}{:>12.0f}{:>11.2f}{:>13.0f}{:>11.2f}{:>6}\n", row.size, row.sas, row.egress_ns,
               row.egress_ratio, row.ingress_ns, row.ingress_ratio, row.lost);
}

nlohmann::json to_json(const ControlRow& row, std::uint32_t sas) {
  return {{"way", row.way},
          {"installs_per_s", row.installs},
          {"install_s", sas / row.installs},
          {"removals_per_s", row.removals},
          {"rekeys_per_s", row.rekeys},
          {"spread", row.spread},
          {"bytes_per_sa", row.bytes},
          {"mpps", row.mpps},
          {"packets", row.packets},
          {"lost", row.lost}};
}
nlohmann::json to_json(const LookupRow& row) {
  return {{"entries", row.entries}, {"burst", row.burst}, {"ours_ns", row.ours_ns},
          {"sad_ns", row.sad_ns},   {"ratio", row.ratio}, {"spread", row.spread}};
}
nlohmann::json to_json(const PacketRow& row) {
  return {{"size", row.size},
          {"sas", row.sas},
          {"egress_ns", row.egress_ns},
          {"egress_ratio", row.egress_ratio},
          {"ingress_ns", row.ingress_ns},
          {"ingress_ratio", row.ingress_ratio},
          {"lost", row.lost}};
}

template <typename Row>
nlohmann::json all_to_json(const std::vector<Row>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows) list.push_back(to_json(row));
  return list;
}

int failed(const Error& error) {
  fmt::print(stderr, "linecrypt-bench scale: {}\n", error.message);
  return 1;
}

int run(Command options) {
  if (options.quick) {
    options.scale.sas = std::min<std::uint32_t>(options.scale.sas, 8192);
    options.scale.rounds = 1;
    options.scale.seconds = 0.2;
  }
  const Cpus cpus = choose_cpus();
  if (!options.json)
    fmt::print("{}, control on CPU {}, worker on CPU {}, load {:.1f}\n", cpu_name(), cpus.control, cpus.worker, load());
  nlohmann::json report{{"cpu", cpu_name()}, {"load", load()}, {"sas", options.scale.sas}};
  std::uint64_t lost = 0;
  if (options.wants("control")) {
    auto rows = measure_control(options.scale);
    if (!rows) return failed(rows.error());
    for (const ControlRow& row : *rows) lost += row.lost;
    if (!options.json) print(*rows, options.scale.sas);
    report["control"] = nlohmann::json::array();
    for (const ControlRow& row : *rows) report["control"].push_back(to_json(row, options.scale.sas));
  }
  pin_to(cpus.worker);
  if (options.wants("lookup")) {
    auto rows = measure_lookup(options.scale);
    if (!rows) return failed(rows.error());
    if (!options.json) print(*rows);
    report["lookup"] = all_to_json(*rows);
  }
  pin_to(cpus.worker);
  if (options.wants("packets")) {
    auto rows = measure_packets(options.scale);
    if (!rows) return failed(rows.error());
    for (const PacketRow& row : *rows) lost += row.lost;
    if (!options.json) print(*rows);
    report["packets"] = all_to_json(*rows);
  }
  report["lost"] = lost;
  if (options.json) fmt::print("{}\n", report.dump(1));
  return lost == 0 ? 0 : 2;
}

}  // namespace

void add_scale(CLI::App& app, int& status) {
  auto options = std::make_shared<Command>();
  CLI::App* command = app.add_subcommand(
      "scale",
      "Many SAs: installs, rekeys under traffic, removals, memory, SPI lookups, packets. Exit status 2: a "
      "packet was lost");
  command->add_option("--sas", options->scale.sas, "SAs installed, half each way, 64 to 900000 or so")
      ->check(CLI::Range(64U, 1U << 20U))
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
  command->add_flag("--quick", options->quick, "A few thousand SAs, one round: shows that it works, not how fast");
  command->add_flag("--json", options->json, "JSON");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace linecrypt::bench
