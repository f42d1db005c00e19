#include "tools/linecrypt-bench/gateway.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/gateway_work/gateway_side.hpp"
#include "tools/linecrypt-bench/workload/path_side.hpp"

namespace linecrypt::bench {
namespace {

struct Options {
  CommonOptions common;
  std::vector<std::string> protocols = {"esp", "both"};
  std::vector<std::string> directions = {"encrypt", "decrypt"};
  std::vector<std::uint32_t> sizes = {64, 128, 256, 512, 1024, 1420, 2048, 4096, 9000};
  std::uint32_t burst = 32;
};

struct Row {
  std::string work;
  std::uint32_t size = 0;
  Comparison figures;
  std::string no_claim;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}
  int run();

 private:
  int one(const std::string& protocol, const std::string& direction, std::uint32_t size);
  [[nodiscard]] Report report(const Machine& machine) const;
  [[nodiscard]] nlohmann::json json(const Machine& machine) const;

  const Options& options_;
  std::vector<Row> rows_;
};

int Run::one(const std::string& protocol, const std::string& direction, std::uint32_t size) {
  std::unique_ptr<Engine> engines[4];
  for (std::size_t i = 0; i < std::size(engines); ++i) {
    auto made = i % 2 == 0 ? make_engine(options_.common) : software::make_software_engine();
    if (!made) return fail(made.error().message);
    engines[i] = std::move(made).value();
  }
  GatewaySettings gateway;
  gateway.direction = direction == "encrypt" ? Direction::egress : Direction::ingress;
  gateway.macsec = protocol == "both";
  gateway.size = size;
  gateway.burst = options_.burst;
  gateway.spoil_result = options_.common.plant_fault == "ours";
  auto whole = make_gateway_side(std::move(engines[0]), std::move(engines[1]), gateway);
  if (!whole) return fail(whole.error().message);
  PathSettings path;
  path.protocols = gateway.macsec ? Protocols::both : Protocols::esp;
  path.direction = gateway.direction;
  path.sizes = {size};
  path.burst = options_.burst;
  path.spoil_result = options_.common.plant_fault == "peer";
  auto alone = PathSide::make(std::move(engines[2]), std::move(engines[3]), path);
  if (!alone) return fail(alone.error().message);
  auto figures = compare(**whole, **alone, Results::of_their_own, options_.common.effort());
  const std::string work = fmt::format("gateway-{}-{}", protocol, direction);
  if (!figures)
    return fail(fmt::format("{}, {} bytes: WRONG RESULT: {}", work, size, figures.error().message), exit_wrong);
  rows_.push_back({work, size, *figures, no_claim(figures->spread, options_.common)});
  if (options_.common.live()) {
    const Row& row = rows_.back();
    fmt::print(
        "{:22} {:>5} B  {:>5.1f} % of the engine's packet rate, spread {:.1f} %: {:.2f} Gb/s, {:.1f} ns and {:.1f}  "
        "{}\n",
        work, size, 100 * figures->ratio, 100 * figures->spread, gbps(size, figures->ours_ns), figures->ours_ns,
        figures->peer_ns, as_remark(row.no_claim));
    std::fflush(stdout);
  }
  return exit_good;
}

Report Run::report(const Machine& machine) const {
  Report report;
  report.title = fmt::format("linecrypt-bench gateway, provider {}", options_.common.provider);
  report.machine = machine.facts();
  report.notes = {
      fmt::format(
          "The gateway's pipeline from port to port in memory: checks, policy, routes, ESP (both: MACsec around it), "
          "headers, counters; AES-128-GCM, one SA, bursts of {}. Beside it the engine alone with the same work; "
          "ratio: the gateway's packet rate as a part of that.",
          options_.burst),
      "Size: of the clear IP packet. Every frame left by the other port and carried the packet that had come in.",
  };
  Table table{
      "Gateway and engine", {"work", "size", "ratio", "spread %", "Gb/s", "Mpps", "ns", "engine ns", "claim"}, {}};
  for (const Row& row : rows_) {
    const Comparison& f = row.figures;
    table.rows.push_back({row.work, std::to_string(row.size), fmt::format("{:.2f}", f.ratio),
                          fmt::format("{:.1f}", 100 * f.spread), fmt::format("{:.2f}", gbps(row.size, f.ours_ns)),
                          fmt::format("{:.2f}", 1e3 / f.ours_ns), fmt::format("{:.1f}", f.ours_ns),
                          fmt::format("{:.1f}", f.peer_ns), as_claim(row.no_claim)});
    Plot& plot = plot_of(report, row.work, "size (bytes)", "Gb/s");
    series_of(plot, "gateway").points.push_back({static_cast<double>(row.size), gbps(row.size, f.ours_ns)});
    series_of(plot, "engine alone").points.push_back({static_cast<double>(row.size), gbps(row.size, f.peer_ns)});
  }
  report.tables.push_back(std::move(table));
  return report;
}

nlohmann::json Run::json(const Machine& machine) const {
  nlohmann::json rows = nlohmann::json::array();
  for (const Row& row : rows_) rows.push_back(to_json(row.work, "engine", row.size, row.figures, row.no_claim));
  return {{"rows", rows}, {"provider", options_.common.provider}, {"machine", to_json(machine.facts())}};
}

int Run::run() {
  auto machine = Machine::pin(options_.common.core);
  if (!machine) return fail(machine.error().message);
  for (const std::string& protocol : options_.protocols)
    for (const std::string& direction : options_.directions)
      for (const std::uint32_t size : options_.sizes)
        if (const int status = one(protocol, direction, size); status != exit_good) return status;
  return finish(options_.common, report(*machine), json(*machine), status_of(rows_));
}

}  // namespace

void add_gateway(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("gateway",
                         "Frames from port to port in memory through the gateway's pipeline, beside the engine alone. "
                         "Exit status 0: every "
                         "row is a claim; 1: an error; 2: a result was wrong; 3: a row's spread is too wide");
  add_common(*command, options->common, provider_names());
  add_effort(*command, options->common, "Pairs of slices a row");
  command->add_option("--protocol", options->protocols, "esp, or both: MACsec around it")
      ->check(CLI::IsMember({"esp", "both"}))
      ->delimiter(',');
  command->add_option("--direction", options->directions, "encrypt, decrypt")
      ->check(CLI::IsMember({"encrypt", "decrypt"}))
      ->delimiter(',');
  command->add_option("--size", options->sizes, "Sizes, 64 to 9216")->check(CLI::Range(64, 9216))->delimiter(',');
  command->add_option("--burst", options->burst, "Packets of a burst")->check(CLI::Range(1, 64))->capture_default_str();
  command->callback([command, options, &status] {
    apply_quick(*command, options->common);
    if (options->common.quick && command->count("--size") == 0) options->sizes = {64, 1420};
    status = Run(*options).run();
  });
}

}  // namespace linecrypt::bench
