#include "tools/linecrypt-bench/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>

#include "host/software/engine.hpp"
#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/peers/aead_side.hpp"
#include "tools/linecrypt-bench/peers/dpdk_side.hpp"
#include "tools/linecrypt-bench/work/path_side.hpp"

namespace linecrypt::bench {
namespace {

enum class Subject : std::uint8_t { seal, open, esp_egress, esp_ingress, macsec_protect, macsec_validate };

struct SubjectName {
  const char* option;
  Subject subject;
};
constexpr SubjectName subjects[] = {
    {"seal", Subject::seal},
    {"open", Subject::open},
    {"esp-egress", Subject::esp_egress},
    {"esp-ingress", Subject::esp_ingress},
    {"macsec-protect", Subject::macsec_protect},
    {"macsec-validate", Subject::macsec_validate},
};

constexpr bool is_aead(Subject subject) {
  return subject == Subject::seal || subject == Subject::open;
}
constexpr bool is_esp(Subject subject) {
  return subject == Subject::esp_egress || subject == Subject::esp_ingress;
}
constexpr bool is_outward(Subject subject) {
  return subject == Subject::seal || subject == Subject::esp_egress || subject == Subject::macsec_protect;
}

// The peers, by the names they have in rows.
constexpr const char* ipsec_mb = "ipsec-mb";
constexpr const char* openssl = "openssl";
constexpr const char* bare_aead = "bare-aead";
const std::map<std::string, DpdkDevice> dpdk_peers = {
    {"dpdk-aesni_gcm", {"crypto_aesni_gcm", false}},
    {"dpdk-aesni_gcm-cpu", {"crypto_aesni_gcm", true}},
    {"dpdk-aesni_mb", {"crypto_aesni_mb", false}},
};

std::vector<std::string> peer_names() {
  std::vector<std::string> names = {ipsec_mb, openssl, bare_aead};
  for (const auto& [name, device] : dpdk_peers) names.push_back(name);
  return names;
}

struct Options {
  CommonOptions common;
  std::vector<std::string> works;
  std::vector<std::string> peers;
  std::vector<std::uint32_t> sizes = {64, 128, 256, 512, 1024, 1420, 2048, 4096, 9000};
  std::vector<std::uint32_t> keys = {128, 256};
  std::uint32_t burst = 32;
};

struct Row {
  std::string work;
  std::string peer;
  std::uint32_t size = 0;
  Comparison figures;
  std::string no_claim;
};

struct Refused {
  std::string peer;
  std::string reason;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}
  int run();

 private:
  [[nodiscard]] bool wanted(const std::vector<std::string>& list, const std::string& name) const {
    return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
  }
  [[nodiscard]] std::vector<std::string> peers_of(Subject subject) const;
  Result<std::unique_ptr<Side>> our_side(Subject subject, std::uint32_t key_bits, std::uint32_t size) const;
  Result<std::unique_ptr<Side>> peer_side(const std::string& peer, Subject subject, std::uint32_t key_bits,
                                          std::uint32_t size) const;
  int one(Subject subject, const std::string& peer, std::uint32_t key_bits, std::uint32_t size);
  void show(const Row& row) const;
  [[nodiscard]] Report report(const Machine& machine) const;
  [[nodiscard]] nlohmann::json json(const Machine& machine) const;

  const Options& options_;
  std::vector<Row> rows_;
  std::vector<Refused> refused_;
};

std::string work_name(Subject subject, std::uint32_t key_bits) {
  for (const SubjectName& name : subjects)
    if (name.subject == subject) return fmt::format("{}-aes-{}-gcm", name.option, key_bits);
  return {};
}

std::vector<std::string> Run::peers_of(Subject subject) const {
  std::vector<std::string> all;
  if (is_aead(subject)) all = {ipsec_mb, openssl};
  if (is_esp(subject))
    for (const auto& [name, device] : dpdk_peers) all.push_back(name);
  if (!is_aead(subject)) all.emplace_back(bare_aead);
  std::erase_if(all, [&](const std::string& name) {
    return !wanted(options_.peers, name) ||
           std::any_of(refused_.begin(), refused_.end(), [&](const Refused& one) { return one.peer == name; });
  });
  return all;
}

Result<std::unique_ptr<Side>> Run::our_side(Subject subject, std::uint32_t key_bits, std::uint32_t size) const {
  const bool spoil = options_.common.plant_fault == "ours";
  if (is_aead(subject)) {
    AeadSettings settings;
    settings.way = is_outward(subject) ? AeadWay::seal : AeadWay::open;
    settings.key_bits = key_bits;
    settings.text_size = size;
    settings.burst = options_.burst;
    settings.spoil_result = spoil;
    return make_provider_side(provider_of(options_.common.provider), settings);
  }
  PathSettings settings;
  settings.protocols = is_esp(subject) ? Protocols::esp : Protocols::macsec;
  settings.direction = is_outward(subject) ? Direction::egress : Direction::ingress;
  settings.key_bits = key_bits;
  settings.sizes = {size};
  settings.burst = options_.burst;
  settings.spoil_result = spoil;
  auto engine = make_engine(options_.common);
  if (!engine) return engine.error();
  auto helper = software::make_software_engine();
  if (!helper) return helper.error();
  auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(), settings);
  if (!side) return side.error();
  return std::unique_ptr<Side>(std::move(side).value());
}

Result<std::unique_ptr<Side>> Run::peer_side(const std::string& peer, Subject subject, std::uint32_t key_bits,
                                             std::uint32_t size) const {
  const bool spoil = options_.common.plant_fault == "peer";
  if (const auto found = dpdk_peers.find(peer); found != dpdk_peers.end()) {
    DpdkSettings settings;
    settings.device = found->second;
    settings.direction = is_outward(subject) ? Direction::egress : Direction::ingress;
    settings.key_bits = key_bits;
    settings.size = size;
    settings.burst = options_.burst;
    settings.spoil_result = spoil;
    return make_dpdk_side(settings);
  }
  AeadSettings settings;
  settings.way = is_outward(subject) ? AeadWay::seal : AeadWay::open;
  settings.key_bits = key_bits;
  settings.burst = options_.burst;
  settings.spoil_result = spoil;
  settings.text_size = size;
  if (is_esp(subject)) settings.text_size = esp_text_size(size);
  if (subject == Subject::macsec_protect || subject == Subject::macsec_validate) {
    // DA, SA and SecTAG are associated data; what follows them is encrypted.
    settings.text_size = size - 12;
    settings.aad_size = 28;
  }
  if (peer == ipsec_mb) return make_ipsec_mb_side(settings);
  if (peer == openssl) return make_openssl_side(settings);
  return make_provider_side(provider_of(options_.common.provider), settings);
}

int Run::one(Subject subject, const std::string& peer, std::uint32_t key_bits, std::uint32_t size) {
  auto ours = our_side(subject, key_bits, size);
  if (!ours) return fail(ours.error().message);
  auto other = peer_side(peer, subject, key_bits, size);
  if (!other) {
    refused_.push_back({peer, other.error().message});
    fmt::print(stderr, "linecrypt-bench: {} is left out: {}\n", peer, other.error().message);
    return exit_good;
  }
  auto figures =
      compare(**ours, **other, peer == bare_aead ? Results::of_their_own : Results::equal, options_.common.effort());
  if (!figures)
    return fail(fmt::format("{} against {}, {} bytes: WRONG RESULT: {}", work_name(subject, key_bits), peer, size,
                            figures.error().message),
                exit_wrong);
  rows_.push_back({work_name(subject, key_bits), peer, size, *figures, no_claim(figures->spread, options_.common)});
  if (options_.common.live()) show(rows_.back());
  return exit_good;
}

constexpr const char* row_format = "{:28} {:18} {:>5}  {:>6}  {:>7}  {:>9}  {:>9}  {:>9}  {:>9}  {}\n";

void Run::show(const Row& row) const {
  const Comparison& f = row.figures;
  fmt::print(row_format, row.work, row.peer, row.size, fmt::format("{:.2f}", f.ratio),
             fmt::format("{:.1f} %", 100 * f.spread), fmt::format("{:.2f}", gbps(row.size, f.ours_ns)),
             fmt::format("{:.2f}", gbps(row.size, f.peer_ns)), fmt::format("{:.1f}", f.ours_ns),
             fmt::format("{:.1f}", f.peer_ns), row.no_claim.empty() ? "" : "NO CLAIM: " + row.no_claim);
  std::fflush(stdout);
}

Report Run::report(const Machine& machine) const {
  Report report;
  report.title = fmt::format("linecrypt-bench compare, provider {}", options_.common.provider);
  report.machine = machine.facts();
  report.notes = {
      fmt::format(
          "One process, one core, bursts of {}; {} pairs of slices of {:g} us each, A B and B A in turn. Ratio: how "
          "many times as fast ours is, median of the pairs. Spread: interquartile range of the pairs' ratios over "
          "their median; above {:g} % a row is no claim.",
          options_.burst, options_.common.pairs, options_.common.slice_us, 100 * options_.common.spread_limit),
      "Size: of the text (seal, open), of the inner IP packet (ESP), of the frame without FCS (MACsec); Gb/s of these "
      "bytes.",
      "Every side's results were checked while it was measured; ours and the peer's were equal byte for byte.",
      "ESP: tunnel mode IPv4, ESN, replay window 1024, counters, outer header with checksum; librte_ipsec leaves that "
      "checksum to a NIC. bare-aead: the same texts through the provider alone; the cost is ours minus that.",
  };
  for (const Refused& one : refused_) report.notes.push_back(fmt::format("{} was left out: {}", one.peer, one.reason));
  Table speeds{"Ours against a peer",
               {"work", "peer", "size", "ratio", "spread %", "ours Gb/s", "peer Gb/s", "ours ns", "peer ns", "claim"},
               {}};
  Table costs{"What the protocol costs over the bare AEAD", {"work", "size", "ns a packet", "spread ns", "claim"}, {}};
  std::map<std::string, Plot> plots;
  for (const Row& row : rows_) {
    const Comparison& f = row.figures;
    const std::string claim = row.no_claim.empty() ? "yes" : "NO CLAIM: " + row.no_claim;
    Plot& plot = plots[row.work];
    plot.title = row.work;
    plot.x_label = "size (bytes)";
    plot.y_label = "Gb/s";
    if (plot.series.empty()) plot.series.push_back({"ours", {}});
    if (plot.series[0].points.empty() || plot.series[0].points.back().x < row.size)
      plot.series[0].points.push_back({static_cast<double>(row.size), gbps(row.size, f.ours_ns)});
    auto series =
        std::find_if(plot.series.begin(), plot.series.end(), [&](const Series& one) { return one.name == row.peer; });
    if (series == plot.series.end()) series = plot.series.insert(plot.series.end(), Series{row.peer, {}});
    series->points.push_back({static_cast<double>(row.size), gbps(row.size, f.peer_ns)});
    if (row.peer == bare_aead)
      costs.rows.push_back({row.work, std::to_string(row.size), fmt::format("{:.1f}", f.cost_ns),
                            fmt::format("{:.1f}", f.cost_spread_ns), claim});
    speeds.rows.push_back({row.work, row.peer, std::to_string(row.size), fmt::format("{:.2f}", f.ratio),
                           fmt::format("{:.1f}", 100 * f.spread), fmt::format("{:.2f}", gbps(row.size, f.ours_ns)),
                           fmt::format("{:.2f}", gbps(row.size, f.peer_ns)), fmt::format("{:.1f}", f.ours_ns),
                           fmt::format("{:.1f}", f.peer_ns), claim});
  }
  report.tables = {std::move(costs), std::move(speeds)};
  for (auto& [name, plot] : plots) report.plots.push_back(std::move(plot));
  return report;
}

nlohmann::json Run::json(const Machine& machine) const {
  nlohmann::json rows = nlohmann::json::array();
  nlohmann::json costs = nlohmann::json::array();
  for (const Row& row : rows_) {
    const Comparison& f = row.figures;
    rows.push_back({{"work", row.work},
                    {"peer", row.peer},
                    {"size", row.size},
                    {"ratio", f.ratio},
                    {"ours_gbps", gbps(row.size, f.ours_ns)},
                    {"peer_gbps", gbps(row.size, f.peer_ns)},
                    {"spread", f.spread}});
    if (!row.no_claim.empty()) rows.back()["no_claim"] = row.no_claim;
    if (row.peer == bare_aead)
      costs.push_back({{"work", row.work}, {"size", row.size}, {"ns", f.cost_ns}, {"spread_ns", f.cost_spread_ns}});
  }
  nlohmann::json refused = nlohmann::json::array();
  for (const Refused& one : refused_) refused.push_back({{"peer", one.peer}, {"reason", one.reason}});
  return {{"rows", rows},
          {"costs", costs},
          {"refused", refused},
          {"provider", options_.common.provider},
          {"burst", options_.burst},
          {"spread_limit", options_.common.spread_limit},
          {"machine", to_json(machine.facts())}};
}

// 1. The core and, where one of its peers is asked for, DPDK. 2. Row by row. 3. What came of it.
int Run::run() {
  // 1.
  auto machine = Machine::pin(options_.common.core);
  if (!machine) return fail(machine.error().message);
  const bool dpdk = std::any_of(dpdk_peers.begin(), dpdk_peers.end(),
                                [&](const auto& peer) { return wanted(options_.peers, peer.first); });
  const bool esp = wanted(options_.works, "esp-egress") || wanted(options_.works, "esp-ingress");
  if (dpdk && esp) {
    if (auto started = start_dpdk(machine->core()); !started) {
      for (const auto& [name, device] : dpdk_peers)
        if (wanted(options_.peers, name)) refused_.push_back({name, started.error().message});
      fmt::print(stderr, "linecrypt-bench: DPDK's peers are left out: {}\n", started.error().message);
    }
  }
  if (options_.common.live())
    fmt::print(row_format, "work", "peer", "size", "ratio", "spread", "ours Gb/s", "peer Gb/s", "ours ns", "peer ns",
               "");
  // 2.
  for (const SubjectName& subject : subjects)
    for (const std::uint32_t key : options_.keys)
      for (const std::string& peer : peers_of(subject.subject))
        for (const std::uint32_t size : options_.sizes) {
          if (!wanted(options_.works, subject.option)) continue;
          const bool left_out =
              std::any_of(refused_.begin(), refused_.end(), [&](const Refused& r) { return r.peer == peer; });
          if (left_out) continue;
          if (const int status = one(subject.subject, peer, key, size); status != exit_good) return status;
        }
  if (rows_.empty() && refused_.empty()) return fail("no peer of those does work of these");
  // 3.
  const bool all_claims =
      refused_.empty() && std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.no_claim.empty(); });
  return finish(options_.common, report(*machine), json(*machine), all_claims ? exit_good : exit_no_claim);
}

}  // namespace

void add_compare(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "compare",
      "Ours against IPsec-MB, OpenSSL and DPDK's librte_ipsec, in one process, in turns; every result checked. Exit "
      "status 0: every row is a claim; 1: an error; 2: a result was wrong; 3: a row's spread is too wide or a peer was "
      "left out");
  add_common(*command, options->common, "Pairs of slices a row");
  std::vector<std::string> names;
  for (const SubjectName& subject : subjects) names.emplace_back(subject.option);
  command->add_option("--work", options->works, "Only these works")->check(CLI::IsMember(names))->delimiter(',');
  command->add_option("--peer", options->peers, "Only these peers")->check(CLI::IsMember(peer_names()))->delimiter(',');
  command->add_option("--size", options->sizes, "Sizes, 64 to 9216")->check(CLI::Range(64, 9216))->delimiter(',');
  command->add_option("--key", options->keys, "Key sizes in bits")->check(CLI::IsMember({128, 256}))->delimiter(',');
  command->add_option("--burst", options->burst, "Packets of a burst")->check(CLI::Range(1, 64))->capture_default_str();
  command->callback([command, options, &status] {
    apply_quick(*command, options->common);
    if (options->common.quick && command->count("--size") == 0) options->sizes = {64, 1420};
    if (options->common.quick && command->count("--key") == 0) options->keys = {128};
    status = Run(*options).run();
  });
}

}  // namespace linecrypt::bench
