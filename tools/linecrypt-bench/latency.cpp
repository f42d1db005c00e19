#include "tools/linecrypt-bench/latency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"
#include "tools/linecrypt-bench/workload/path_side.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::uint32_t blocks = 10;  // whose medians tell how steady the machine was
constexpr double parts[] = {0.5, 0.9, 0.99, 0.999, 1};
constexpr const char* part_names[] = {"p50", "p90", "p99", "p99_9", "max"};

struct Options {
  CommonOptions common;
  std::vector<std::string> protocols = {"esp", "macsec"};
  std::vector<std::string> directions = {"encrypt", "decrypt"};
  std::vector<std::uint32_t> sizes = {64, 1420};
  std::vector<std::uint32_t> bursts = {1, 2, 4, 8, 16, 32, 64};
  std::uint32_t samples = 50000;
};

struct Row {
  std::string protocol;
  std::string direction;
  std::uint32_t size = 0;
  std::uint32_t burst = 0;
  double ns[std::size(parts)] = {};
  double spread = 0;
  std::string no_claim;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}
  int run();

 private:
  int one(const std::string& protocol, const std::string& direction, std::uint32_t size, std::uint32_t burst);
  [[nodiscard]] Report report(const Machine& machine) const;
  [[nodiscard]] nlohmann::json json(const Machine& machine) const;

  const Options& options_;
  std::vector<Row> rows_;
};

// From submit to the last verdict of the burst, which is what each of its packets waits. Each block's last burst is
// checked.
int Run::one(const std::string& protocol, const std::string& direction, std::uint32_t size, std::uint32_t burst) {
  PathSettings settings;
  settings.protocols = protocol == "esp" ? Protocols::esp : Protocols::macsec;
  settings.direction = direction == "encrypt" ? Direction::egress : Direction::ingress;
  settings.sizes = {size};
  settings.burst = burst;
  settings.spoil_result = !options_.common.plant_fault.empty();
  auto engine = make_engine(options_.common);
  if (!engine) return fail(engine.error().message);
  auto helper = software::make_software_engine();
  if (!helper) return fail(helper.error().message);
  auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(), settings);
  if (!side) return fail(side.error().message);
  std::vector<double> all;
  std::vector<double> medians;
  const std::uint32_t of_block = std::max(options_.samples / blocks, 1U);
  all.reserve(std::size_t{of_block} * blocks);
  for (std::uint32_t block = 0; block < blocks; ++block) {
    std::vector<double> times;
    for (std::uint32_t i = 0; i < of_block; ++i) {
      (*side)->prepare();
      const std::uint64_t begin = Stopwatch::begin();
      (*side)->run();
      times.push_back(Stopwatch::ns(begin, Stopwatch::end()));
    }
    if (const std::string wrong = (*side)->check(); !wrong.empty())
      return fail(fmt::format("{} {} {} bytes, burst {}: WRONG RESULT: {}", protocol, direction, size, burst, wrong),
                  exit_wrong);
    medians.push_back(median(times));
    all.insert(all.end(), times.begin(), times.end());
  }
  Row row{protocol, direction, size, burst, {}, spread(medians), {}};
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < std::size(parts); ++i) row.ns[i] = quantile(all, parts[i]);
  row.no_claim = no_claim(row.spread, options_.common);
  rows_.push_back(row);
  if (options_.common.live()) {
    fmt::print("{:>7} {:>8} {:>5} B, burst {:>2}: ", protocol, direction, size, burst);
    for (std::size_t i = 0; i < std::size(parts); ++i) fmt::print(" {} {:.0f}", part_names[i], row.ns[i]);
    fmt::print(" ns  {}\n", as_remark(row.no_claim));
    std::fflush(stdout);
  }
  return exit_good;
}

Report Run::report(const Machine& machine) const {
  Report report;
  report.title = fmt::format("linecrypt-bench latency, software engine, provider {}", options_.common.provider);
  report.machine = machine.facts();
  report.notes = {
      fmt::format(
          "From submit to the last verdict of a burst, one SA, AES-128-GCM, {} bursts a row. p99 and above hold "
          "whatever else ran on this core: see load and steal.",
          options_.samples),
      fmt::format("No claim where the medians of {} blocks have an interquartile range above {:g} % of their median.",
                  blocks, 100 * options_.common.spread_limit),
  };
  Table table{
      "Nanoseconds", {"protocol", "direction", "size", "burst", "p50", "p90", "p99", "p99.9", "max", "claim"}, {}};
  for (const Row& row : rows_) {
    std::vector<std::string> cells = {row.protocol, row.direction, std::to_string(row.size), std::to_string(row.burst)};
    for (const double ns : row.ns) cells.push_back(fmt::format("{:.0f}", ns));
    cells.push_back(as_claim(row.no_claim));
    table.rows.push_back(std::move(cells));
    const std::string title = fmt::format("{} {}, {} bytes", row.protocol, row.direction, row.size);
    Plot& plot = plot_of(report, title, "packets of a burst", "ns");
    for (std::size_t i = 0; i < 3; ++i)  // p50, p90, p99
      series_of(plot, part_names[i]).points.push_back({static_cast<double>(row.burst), row.ns[i]});
  }
  report.tables.push_back(std::move(table));
  return report;
}

nlohmann::json Run::json(const Machine& machine) const {
  nlohmann::json rows = nlohmann::json::array();
  for (const Row& row : rows_) {
    nlohmann::json one = {{"protocol", row.protocol},
                          {"direction", row.direction},
                          {"size", row.size},
                          {"burst", row.burst},
                          {"spread", row.spread}};
    for (std::size_t i = 0; i < std::size(parts); ++i) one[fmt::format("{}_ns", part_names[i])] = row.ns[i];
    if (!row.no_claim.empty()) one["no_claim"] = row.no_claim;
    rows.push_back(std::move(one));
  }
  return {{"rows", rows},
          {"samples", options_.samples},
          {"provider", options_.common.provider},
          {"machine", to_json(machine.facts())}};
}

int Run::run() {
  auto machine = Machine::pin(options_.common.core);
  if (!machine) return fail(machine.error().message);
  for (const std::string& protocol : options_.protocols)
    for (const std::string& direction : options_.directions)
      for (const std::uint32_t size : options_.sizes)
        for (const std::uint32_t burst : options_.bursts)
          if (const int status = one(protocol, direction, size, burst); status != exit_good) return status;
  return finish(options_.common, report(*machine), json(*machine), status_of(rows_));
}

}  // namespace

void add_latency(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("latency",
                                         "How long a burst is in the software engine, as percentiles. Exit status 0: "
                                         "every row is a claim; 1: an error; 2: a "
                                         "result was wrong; 3: a row's medians are too far apart");
  add_common(*command, options->common, provider_names());
  command->add_option("--samples", options->samples, "Bursts a row")
      ->check(CLI::Range(10, 100000000))
      ->capture_default_str();
  command->add_option("--protocol", options->protocols, "esp, macsec")
      ->check(CLI::IsMember({"esp", "macsec"}))
      ->delimiter(',');
  command->add_option("--direction", options->directions, "encrypt, decrypt")
      ->check(CLI::IsMember({"encrypt", "decrypt"}))
      ->delimiter(',');
  command->add_option("--size", options->sizes, "Sizes, 64 to 9216")->check(CLI::Range(64, 9216))->delimiter(',');
  command->add_option("--burst", options->bursts, "Packets of a burst, 1 to 64")
      ->check(CLI::Range(1, 64))
      ->delimiter(',');
  command->callback([command, options, &status] {
    if (options->common.quick && command->count("--samples") == 0) options->samples = 500;
    if (options->common.quick && command->count("--burst") == 0) options->bursts = {1, 32};
    status = Run(*options).run();
  });
}

}  // namespace linecrypt::bench
