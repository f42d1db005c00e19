#include "tools/linecrypt-bench/cycle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/linecrypt-bench/model/cycle_model.hpp"
#include "tools/linecrypt-bench/model/install_model.hpp"

namespace linecrypt::bench {
namespace {

struct Options {
  std::vector<std::uint32_t> sizes;
  std::vector<std::uint32_t> sas;
  std::vector<std::string> kernels;
  bool json = false;
  bool fifos = false;
};

nlohmann::json to_json(const Row& row) {
  nlohmann::json fifos = nlohmann::json::array();
  for (const auto& fifo : row.with_commands.fifos)
    fifos.push_back({{"name", fifo.name}, {"depth", fifo.depth}, {"deepest", fifo.deepest}});
  const double beats = static_cast<double>(row.figures.wider() * row.figures.packets);
  return {{"kernel", name(row.subject.kernel)},
          {"variant", name(row.subject.variant)},
          {"size", row.size},
          {"sas", row.sas},
          {"beats_in", row.figures.beats_in},
          {"beats_out", row.figures.beats_out},
          {"packets", row.figures.packets},
          {"cycles_per_packet", row.figures.cycles_a_packet()},
          {"cycles_per_beat", beats == 0 ? 0 : static_cast<double>(row.figures.cycles) / beats},
          {"bubbles", row.figures.bubbles()},
          {"latency_cycles", row.figures.latency},
          {"mpps", row.mpps()},
          {"gbps", row.gbps()},
          {"line_rate", row.gbps() >= 100 && row.gbps_with_commands() >= 100},
          {"commands",
           {{"words", row.with_commands.commands},
            {"forced_cycles", row.with_commands.forced},
            {"cycles_per_packet", row.with_commands.cycles_a_packet()},
            {"gbps", row.gbps_with_commands()}}},
          {"fifos", fifos}};
}

nlohmann::json to_json(const InstallFigures& figures) {
  return {{"cycles_per_install", figures.cycles_an_install()}, {"installs_per_second", figures.per_second()}};
}
nlohmann::json to_json(const InstallRow& row) {
  nlohmann::json with_packets = to_json(row.with_packets);
  with_packets["mpps"] = row.with_packets.mpps();
  return {{"kernel", name(row.subject.kernel)},
          {"commands", row.commands},
          {"alone", to_json(row.alone)},
          {"with_packets", with_packets}};
}

void print_heading() {
  fmt::print("linecrypt-bench cycle: {}\n", modelled);
  fmt::print(
      "size: clear frame with FCS. Gb/s: of the protected side's wire, preamble and gap included. with words: while\n"
      "configuration words (installs and removals of another SA) always wait.\n\n");
  fmt::print("{:16} {:16} {:>5} {:>5} {:>5} {:>5} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7} {:>11} {:>7}\n", "kernel",
             "variant", "size", "SAs", "in", "out", "cycles/p", "cyc/beat", "bubbles", "latency", "Mpps", "Gb/s",
             "with words:", "forced");
}
void print_row(const Row& row) {
  const auto& f = row.figures;
  const double beats = static_cast<double>(f.wider() * f.packets);
  fmt::print("{:16} {:16} {:>5} {:>5} {:>5} {:>5} {:>8.2f} {:>8.3f} {:>8} {:>7} {:>7.1f} {:>7.1f} {:>11.1f} {:>7}\n",
             name(row.subject.kernel), name(row.subject.variant), row.size, row.sas, f.beats_in, f.beats_out,
             f.cycles_a_packet(), static_cast<double>(f.cycles) / beats, f.bubbles(), f.latency, row.mpps(), row.gbps(),
             row.gbps_with_commands(), row.with_commands.forced);
}

bool wanted(const Options& options, Subject subject) {
  return options.kernels.empty() ||
         std::find(options.kernels.begin(), options.kernels.end(), name(subject.kernel)) != options.kernels.end();
}

// Installs through the command ring. False: one is below the design figure, or an SA was refused.
bool run_installs(const Options& options, nlohmann::json& rows) {
  bool good = true;
  if (!options.json)
    fmt::print(
        "\ninstalls of an SA through the command ring of a whole card; with packets: while 64-byte frames always "
        "wait.\n"
        "The host is not modelled: its key expansion, transfers over PCIe, and its reading of responses.\n\n"
        "{:16} {:>8} {:>12} {:>12} {:>26} {:>12} {:>7}\n",
        "kernel", "commands", "cycles", "installs/s", "with packets: cycles", "installs/s", "Mpps");
  for (const Subject& subject : install_subjects()) {
    if (!wanted(options, subject)) continue;
    const InstallRow row = measure_installs(subject);
    good = good && row.alone.refused + row.with_packets.refused == 0 && row.alone.per_second() >= installs_wanted &&
           row.with_packets.per_second() >= installs_wanted;
    if (options.json) {
      rows.push_back(to_json(row));
      continue;
    }
    fmt::print("{:16} {:>8} {:>12.1f} {:>12.0f} {:>26.1f} {:>12.0f} {:>7.1f}\n", name(subject.kernel), row.commands,
               row.alone.cycles_an_install(), row.alone.per_second(), row.with_packets.cycles_an_install(),
               row.with_packets.per_second(), row.with_packets.mpps());
  }
  return good;
}

// Returns 0 where every packet came out, no row is below 100 Gb/s, and installs are as many as they should be.
int run(const Options& options) {
  nlohmann::json rows = nlohmann::json::array();
  bool good = true;
  if (!options.json) print_heading();
  std::uint32_t most = 1;
  for (const std::uint32_t sas : options.sas) most = std::max(most, sas);
  for (const Subject& subject : subjects()) {
    if (!wanted(options, subject)) continue;
    const auto model = make_cycle_model(subject, most);
    for (const std::uint32_t sas : options.sas) {
      for (const std::uint32_t size : options.sizes) {
        const Row row = measure(*model, subject, size, sas);
        const bool stuck = row.figures.deadlock || row.with_commands.deadlock;
        const bool refused = row.figures.refused + row.with_commands.refused != 0;
        good = good && !stuck && !refused && row.gbps() >= 100 && row.gbps_with_commands() >= 100;
        if (stuck)
          fmt::print(stderr, "linecrypt-bench: {} of {} bytes: deadlock, full: {}\n", name(subject.kernel), size,
                     row.figures.deadlock ? row.figures.stuck : row.with_commands.stuck);
        if (refused)
          fmt::print(stderr, "linecrypt-bench: {} of {} bytes: packets were refused\n", name(subject.kernel), size);
        if (options.json)
          rows.push_back(to_json(row));
        else
          print_row(row);
        if (options.fifos && !options.json)
          for (const auto& fifo : row.with_commands.fifos)
            fmt::print("    {:18} depth {:>4}, deepest {:>4}\n", fifo.name, fifo.depth, fifo.deepest);
      }
    }
  }
  nlohmann::json installs = nlohmann::json::array();
  good = run_installs(options, installs) && good;
  if (options.json)
    fmt::print(
        "{}\n",
        nlohmann::json{{"basis", modelled}, {"clock_mhz", clock_assumed / 1e6}, {"rows", rows}, {"installs", installs}}
            .dump(1));
  return good ? 0 : 2;
}

}  // namespace

void add_cycle(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  options->sizes = {64, 65, 128, 256, 512, 594, 1024, 1280, 1518, 4096, 9216};
  options->sas = {1, sas_most};
  CLI::App* command = app.add_subcommand(
      "cycle",
      std::string("Cycles, beats and bubbles of the card's kernels; ") + modelled +
          ". Exit status 2: a row is below 100 Gb/s or 200000 installs a second, or a packet was not accepted");
  command->add_option("--size", options->sizes, "Clear frame sizes with FCS, 64 to 9216")
      ->check(CLI::Range(frame_smallest, frame_largest))
      ->delimiter(',');
  command->add_option("--sas", options->sas, fmt::format("SAs that packets take in turn, 1 to {}", sas_most))
      ->check(CLI::Range(1U, sas_most))
      ->delimiter(',');
  std::vector<std::string> kernels;
  for (const Kernel kernel :
       {Kernel::esp_encapsulate, Kernel::esp_decapsulate, Kernel::macsec_protect, Kernel::macsec_validate})
    kernels.emplace_back(name(kernel));
  command->add_option("--kernel", options->kernels, "Only these kernels")
      ->check(CLI::IsMember(kernels))
      ->delimiter(',');
  command->add_flag(
      "--fifos", options->fifos,
      "Depth and deepest occupancy of each FIFO (with what waits in its writer's pipeline), under each row");
  command->add_flag("--json", options->json, "JSON, FIFOs included");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace linecrypt::bench
