#include "tools/linecrypt-bench/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "driver/card/engine/card_engine.hpp"
#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/measure/stopwatch.hpp"
#include "tools/linecrypt-bench/workload/path_side.hpp"

namespace linecrypt::bench {
namespace {

// IMIX 7:4:1: frames of 64, 594 and 1518 bytes with FCS, as the IP packets in them; a burst holds it three times.
const std::vector<std::uint32_t> imix = {46, 46, 46, 46, 46, 46, 46, 576, 576, 576, 576, 1500};
constexpr std::uint32_t imix_burst = 36;

struct Options {
  CommonOptions common;
  std::string engine = "software";
  std::string bitstream;
  std::uint32_t card = 0;
  std::vector<std::string> protocols = {"esp", "macsec", "both"};
  std::vector<std::string> directions = {"encrypt", "decrypt"};
  std::vector<std::string> sizes = {"64", "128", "256", "512", "1024", "1420", "2048", "4096", "9000", "imix"};
  std::vector<std::uint32_t> sas = {1, 1000, 100000, 1000000};
  std::vector<std::uint32_t> keys = {128};
  std::uint32_t burst = 32;
};

struct Row {
  std::string protocol;
  std::string direction;
  std::uint32_t key = 0;
  std::string size;
  std::uint32_t sas = 0;
  Timing timing;
  double bytes = 0;  // of a packet, on average
  std::string no_claim;
};

Protocols protocols_of(const std::string& name) {
  if (name == "esp") return Protocols::esp;
  return name == "macsec" ? Protocols::macsec : Protocols::both;
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}
  int run();

 private:
  Result<std::unique_ptr<Engine>> engine() const;
  int series(const std::string& protocol, const std::string& direction, std::uint32_t key, std::uint32_t sas,
             bool mixed);
  void show(const Row& row) const;
  [[nodiscard]] Report report(const Machine& machine) const;
  [[nodiscard]] nlohmann::json json(const Machine& machine) const;

  const Options& options_;
  std::vector<Row> rows_;
  std::vector<std::string> refused_;
};

// A card is opened to see what it is. The emulated one is refused by its name.
Result<std::unique_ptr<Engine>> Run::engine() const {
  if (options_.engine == "software") return make_engine(options_.common);
  card::CardOptions card;
  card.device = options_.card;
  card.xclbin = options_.bitstream;
  auto made = card::make_card_engine(card);
  if (!made) return Error{fmt::format("--engine card: {}", made.error().message)};
  const card::CardSnapshot snapshot = (*made)->snapshot();
  if (snapshot.emulated)
    return Error{
        fmt::format("--engine card: {} is the emulated card, a program on this CPU: how fast it is says nothing of a "
                    "card. Allowed: "
                    "an Alveo card; what the kernels take in cycles is shown by 'linecrypt-bench cycle'",
                    snapshot.name)};
  return std::unique_ptr<Engine>(std::move(made).value());
}

void Run::show(const Row& row) const {
  fmt::print("{:>8} {:>8} {:>4} {:>6} {:>8}  {:>9.1f} ns  {:>8.2f} Mpps  {:>7.2f} Gb/s  spread {:>5.1f} %  {}\n",
             row.protocol, row.direction, row.key, row.size, row.sas, row.timing.ns, 1e3 / row.timing.ns,
             8 * row.bytes / row.timing.ns, 100 * row.timing.spread, as_remark(row.no_claim));
  std::fflush(stdout);
}

// All sizes over the same SAs: a million of them take a while to install. IMIX has bursts of its own.
int Run::series(const std::string& protocol, const std::string& direction, std::uint32_t key, std::uint32_t sas,
                bool mixed) {
  PathSettings settings;
  settings.protocols = protocols_of(protocol);
  settings.direction = direction == "encrypt" ? Direction::egress : Direction::ingress;
  settings.key_bits = key;
  settings.sas = sas;
  settings.burst = mixed ? imix_burst : options_.burst;
  settings.spoil_result = !options_.common.plant_fault.empty();
  std::vector<std::pair<std::string, std::vector<std::uint32_t>>> sizes;
  std::uint32_t largest = 0;
  for (const std::string& size : options_.sizes) {
    if ((size == "imix") != mixed) continue;
    sizes.emplace_back(size, mixed ? imix : std::vector<std::uint32_t>{static_cast<std::uint32_t>(std::stoul(size))});
    for (const std::uint32_t one : sizes.back().second) largest = std::max(largest, one);
  }
  if (sizes.empty()) return exit_good;
  settings.sizes = {largest};
  auto engine = this->engine();
  if (!engine) return fail(engine.error().message);
  auto helper = software::make_software_engine();
  if (!helper) return fail(helper.error().message);
  auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(), settings);
  if (!side) {
    refused_.push_back(fmt::format("{} {} {} SAs: {}", protocol, direction, sas, side.error().message));
    fmt::print(stderr, "linecrypt-bench: refused: {}\n", refused_.back());
    return exit_good;
  }
  for (const auto& [name, list] : sizes) {
    (*side)->set_sizes(list);
    auto timing = time_alone(**side, options_.common.effort());
    if (!timing)
      return fail(fmt::format("{} {} {} bytes, {} SAs: WRONG RESULT: {}", protocol, direction, name, sas,
                              timing.error().message),
                  exit_wrong);
    rows_.push_back({protocol, direction, key, name, sas, *timing,
                     static_cast<double>((*side)->clear_bytes()) / (*side)->packets(),
                     no_claim(timing->spread, options_.common)});
    if (options_.common.live()) show(rows_.back());
  }
  return exit_good;
}

Report Run::report(const Machine& machine) const {
  Report report;
  report.title =
      fmt::format("linecrypt-bench sweep, engine {}, provider {}", options_.engine, options_.common.provider);
  report.machine = machine.facts();
  report.notes = {
      fmt::format(
          "One core, bursts of {} (imix: {}), packets take the SAs in turn, far from one to the next. Medians of {} "
          "slices of {:g} us; spread: their interquartile range over the median.",
          options_.burst, imix_burst, options_.common.pairs, options_.common.slice_us),
      "Size: of the inner IP packet where ESP is in it, else of the frame without FCS; Gb/s of these bytes. imix: IP "
      "packets of 46, 576 and 1500 bytes, 7:4:1 (frames of 64, 594 and 1518 with FCS). both: ESP, and MACsec around "
      "it.",
      "What was made was opened again by a second engine, and what was opened was compared with the clear packets.",
  };
  for (const std::string& one : refused_) report.notes.push_back("refused: " + one);
  Table table{
      "Sweep", {"protocol", "direction", "key", "size", "SAs", "ns a packet", "Mpps", "Gb/s", "spread %", "claim"}, {}};
  for (const Row& row : rows_) {
    table.rows.push_back({row.protocol, row.direction, std::to_string(row.key), row.size, std::to_string(row.sas),
                          fmt::format("{:.1f}", row.timing.ns), fmt::format("{:.2f}", 1e3 / row.timing.ns),
                          fmt::format("{:.2f}", 8 * row.bytes / row.timing.ns),
                          fmt::format("{:.1f}", 100 * row.timing.spread), as_claim(row.no_claim)});
    if (row.size == "imix") continue;
    const std::string title = fmt::format("{} {}, AES-{}", row.protocol, row.direction, row.key);
    const std::string name = fmt::format("{} SA{}", row.sas, row.sas > 1 ? "s" : "");
    series_of(plot_of(report, title, "size (bytes)", "Gb/s"), name)
        .points.push_back({std::stod(row.size), 8 * row.bytes / row.timing.ns});
  }
  report.tables.push_back(std::move(table));
  return report;
}

nlohmann::json Run::json(const Machine& machine) const {
  nlohmann::json rows = nlohmann::json::array();
  for (const Row& row : rows_) {
    rows.push_back({{"engine", options_.engine},
                    {"protocol", row.protocol},
                    {"direction", row.direction},
                    {"key", row.key},
                    {"size", row.size},
                    {"sas", row.sas},
                    {"ns", row.timing.ns},
                    {"mpps", 1e3 / row.timing.ns},
                    {"gbps", 8 * row.bytes / row.timing.ns},
                    {"spread", row.timing.spread}});
    if (!row.no_claim.empty()) rows.back()["no_claim"] = row.no_claim;
  }
  return {{"rows", rows},
          {"refused", refused_},
          {"provider", options_.common.provider},
          {"machine", to_json(machine.facts())}};
}

int Run::run() {
  auto machine = Machine::pin(options_.common.core);
  if (!machine) return fail(machine.error().message);
  for (const std::string& protocol : options_.protocols)
    for (const std::string& direction : options_.directions)
      for (const std::uint32_t key : options_.keys)
        for (const std::uint32_t sas : options_.sas)
          for (const bool mixed : {false, true})
            if (const int status = series(protocol, direction, key, sas, mixed); status != exit_good) return status;
  return finish(options_.common, report(*machine), json(*machine), status_of(rows_, !refused_.empty()));
}

// "imix" or 64 to 9216.
std::string wrong_size(std::string& text) {
  if (text == "imix") return {};
  const bool digits = !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == std::string::npos;
  if (digits && std::stoul(text) >= 64 && std::stoul(text) <= 9216) return {};
  return fmt::format("size {}, allowed: 64 to 9216, imix", text);
}

}  // namespace

void add_sweep(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("sweep",
                         "One engine over sizes, SAs, protocols and directions; every result checked. Exit status 0: "
                         "every row is a claim; "
                         "1: an error; 2: a result was wrong; 3: a row's spread is too wide or was refused");
  add_common(*command, options->common, provider_names());
  add_effort(*command, options->common, "Slices a row");
  command->add_option("--engine", options->engine, "software or card; the emulated card is refused")
      ->check(CLI::IsMember({"software", "card"}))
      ->capture_default_str();
  command->add_option("--bitstream", options->bitstream, "The card's .xclbin");
  command->add_option("--card", options->card, "The card's number in XRT's order")->capture_default_str();
  command->add_option("--protocol", options->protocols, "esp, macsec, both")
      ->check(CLI::IsMember({"esp", "macsec", "both"}))
      ->delimiter(',');
  command->add_option("--direction", options->directions, "encrypt, decrypt")
      ->check(CLI::IsMember({"encrypt", "decrypt"}))
      ->delimiter(',');
  command->add_option("--size", options->sizes, "64 to 9216, or imix")
      ->check(CLI::Validator(wrong_size, "64 to 9216, imix"))
      ->delimiter(',');
  command->add_option("--sas", options->sas, "SAs that packets take in turn, 1 to 1048576")
      ->check(CLI::Range(1U, 1U << 20U))
      ->delimiter(',');
  command->add_option("--key", options->keys, "Key sizes in bits")->check(CLI::IsMember({128, 256}))->delimiter(',');
  command->add_option("--burst", options->burst, "Packets of a burst")->check(CLI::Range(1, 64))->capture_default_str();
  command->callback([command, options, &status] {
    apply_quick(*command, options->common);
    if (options->common.quick && command->count("--size") == 0) options->sizes = {"64", "1420", "imix"};
    if (options->common.quick && command->count("--sas") == 0) options->sas = {1, 100};
    status = Run(*options).run();
  });
}

}  // namespace linecrypt::bench
