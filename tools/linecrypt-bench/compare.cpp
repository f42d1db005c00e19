#include "tools/linecrypt-bench/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/linecrypt-bench/common.hpp"
#include "tools/linecrypt-bench/compare_report.hpp"
#include "tools/linecrypt-bench/compare_works.hpp"
#include "tools/linecrypt-bench/peers/dpdk_side.hpp"

namespace linecrypt::bench {
namespace {

struct Options {
  CommonOptions common;
  std::vector<std::string> works;
  std::vector<std::string> peers;
  std::vector<std::uint32_t> sizes = {64, 128, 256, 512, 1024, 1420, 2048, 4096, 9216};
  std::vector<std::uint32_t> keys = {128, 256};
  std::uint32_t burst = 32;
};

bool wanted(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
}

// Every work's peers, each once.
std::vector<std::string> all_peers() {
  std::vector<std::string> names;
  for (const Work& work : works)
    for (const std::string& peer : peers_of(work.kind))
      if (std::find(names.begin(), names.end(), peer) == names.end()) names.push_back(peer);
  return names;
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options) { result_.burst = options.burst; }
  int run();

 private:
  [[nodiscard]] std::vector<Pairing> pairings() const;
  void refuse(const std::string& peer, const std::string& reason);
  [[nodiscard]] bool refused(const std::string& peer) const;
  void prepare_dpdk(const std::vector<Pairing>& rows, int core);
  int one(const Pairing& row, const Machine& machine);

  const Options& options_;
  CompareResult result_;
};

std::vector<Pairing> Run::pairings() const {
  std::vector<Pairing> rows;
  for (const Work& work : works) {
    if (!wanted(options_.works, work.option)) continue;
    for (const std::uint32_t key : options_.keys)
      for (const std::string& peer : peers_of(work.kind))
        for (const std::uint32_t size : options_.sizes)
          if (wanted(options_.peers, peer)) rows.push_back({&work, peer, key, size, options_.burst});
  }
  return rows;
}

void Run::refuse(const std::string& peer, const std::string& reason) {
  result_.refused.push_back({peer, reason});
  fmt::print(stderr, "linecrypt-bench: {} is left out: {}\n", peer, reason);
}

bool Run::refused(const std::string& peer) const {
  return std::any_of(result_.refused.begin(), result_.refused.end(),
                     [&](const Refused& one) { return one.peer == peer; });
}

// Its environment, where one of its peers is asked for.
void Run::prepare_dpdk(const std::vector<Pairing>& rows, int core) {
  if (std::none_of(rows.begin(), rows.end(), [](const Pairing& row) { return is_dpdk(row.peer); })) return;
  auto started = start_dpdk(core);
  if (started) return;
  for (const Pairing& row : rows)
    if (is_dpdk(row.peer) && !refused(row.peer)) refuse(row.peer, started.error().message);
}

int Run::one(const Pairing& row, const Machine& machine) {
  const std::string name = fmt::format("{}-aes-{}-gcm", row.work->option, row.key_bits);
  Outcome outcome = measure(row, options_.common, machine.allowed());
  switch (outcome.state) {
    case Outcome::State::no_side:
      return fail(fmt::format("{}, {} bytes: {}", name, row.size, outcome.message));
    case Outcome::State::no_peer:
      refuse(row.peer, outcome.message);
      return exit_good;
    case Outcome::State::wrong:
      return fail(fmt::format("{} against {}, {} bytes: WRONG RESULT: {}", name, row.peer, row.size, outcome.message),
                  exit_wrong);
    case Outcome::State::measured:
      break;
  }
  result_.rows.push_back(
      {row.work, name, row.peer, row.size, outcome.figures, no_claim(outcome.figures.spread, options_.common)});
  if (options_.common.live()) show(result_.rows.back());
  return exit_good;
}

// 1. The core, and DPDK. 2. Row by row. 3. What came of it.
int Run::run() {
  // 1.
  const auto rows = pairings();
  if (rows.empty()) return fail("no peer of those does work of these");
  if (options_.common.provider == aesni_128_provider)
    for (const Pairing& row : rows)
      if (row.work->kind != Kind::aead)
        return fail(
            fmt::format("--provider {}: {}, allowed: aead-encrypt, aead-decrypt; an engine does not take it by name",
                        aesni_128_provider, row.work->option));
  auto machine = Machine::pin(options_.common.core);
  if (!machine) return fail(machine.error().message);
  prepare_dpdk(rows, machine->core());
  if (options_.common.live()) show_head();
  // 2.
  for (const Pairing& row : rows) {
    if (refused(row.peer)) continue;
    if (const int status = one(row, *machine); status != exit_good) return status;
  }
  // 3.
  Facts facts = machine->facts();
  facts.emplace_back("our provider", provider_text(options_.common.provider));
  facts.emplace_back("peers", peers_text());
  return finish(options_.common, compare_report(result_, options_.common, facts),
                compare_json(result_, options_.common, facts), status_of(result_.rows, !result_.refused.empty()));
}

}  // namespace

void add_compare(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "compare",
      "Ours against IPsec-MB, OpenSSL and DPDK's librte_ipsec, in one process, in turns; ESP and MACsec beside the "
      "bare "
      "cipher, the gateway beside its engine, two workers beside two processes; results checked. Exit status 0: every "
      "row is a claim; 1: an error; 2: a result was wrong; 3: a row's spread is too wide or a peer was left out");
  std::vector<std::string> providers = provider_names();
  providers.emplace_back(aesni_128_provider);
  add_common(*command, options->common, providers);
  add_effort(*command, options->common, "Pairs of slices a row");
  std::vector<std::string> names;
  for (const Work& work : works) names.emplace_back(work.option);
  command->add_option("--work", options->works, "Only these works")->check(CLI::IsMember(names))->delimiter(',');
  command->add_option("--peer", options->peers, "Only these peers")->check(CLI::IsMember(all_peers()))->delimiter(',');
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
