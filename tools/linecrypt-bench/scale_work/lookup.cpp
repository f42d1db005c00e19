// SPI lookups in bursts: our table and rte_ipsec_sad in turns, over the same SPIs.
#include <fmt/format.h>
#include <rte_config.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ipsec_sad.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <string>

#include "host/tables/spi_table.hpp"
#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/scale_work/measurements.hpp"

namespace linecrypt::bench::scale {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::uint32_t burst = 32;
constexpr std::uint32_t first_spi = 0x100;
constexpr std::size_t lookups_a_round = std::size_t{1} << 20U;

struct SadFree {
  void operator()(rte_ipsec_sad* sad) const { rte_ipsec_sad_destroy(sad); }
};
using Sad = std::unique_ptr<rte_ipsec_sad, SadFree>;

Result<void> start_eal() {
  static const bool started = [] {
    std::vector<std::string> arguments{
        "linecrypt-bench", "--no-huge", "-m",          "1024",  "--no-shconf",    "--no-pci",      "--iova-mode=va",
        "--lcores",        "0@(0-1)",   "--log-level", "error", "--no-telemetry", "--file-prefix", "linecrypt-bench"};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    return rte_eal_init(static_cast<int>(arguments.size()), argv.data()) >= 0;
  }();
  if (!started) return Error{fmt::format("DPDK's environment did not start: {}", rte_strerror(rte_errno))};
  return {};
}

Result<Sad> fill_sad(const std::vector<std::uint32_t>& spis) {
  rte_ipsec_sad_conf conf{};
  conf.socket_id = -1;
  conf.max_sa[RTE_IPSEC_SAD_SPI_ONLY] = static_cast<std::uint32_t>(spis.size());
  conf.flags = RTE_IPSEC_SAD_FLAG_RW_CONCURRENCY;
  Sad sad(rte_ipsec_sad_create("linecrypt", &conf));
  if (!sad) return Error{fmt::format("rte_ipsec_sad_create: {}", rte_strerror(rte_errno))};
  for (std::size_t i = 0; i < spis.size(); ++i) {
    rte_ipsec_sad_key key{};
    key.v4.spi = spis[i];
    // Its pointers keep their lowest bits for itself.
    void* value = reinterpret_cast<void*>((i + 1) << 3U);
    if (const int error = rte_ipsec_sad_add(sad.get(), &key, RTE_IPSEC_SAD_SPI_ONLY, value); error != 0)
      return Error{fmt::format("rte_ipsec_sad_add, entry {}: {}", i, rte_strerror(-error))};
  }
  return sad;
}

// Nanoseconds a lookup. Every answer is checked: position + 1 of the SPI.
double time_ours(const tables::SpiTable& table, const std::vector<std::uint32_t>& asked,
                 const std::vector<std::uint32_t>& expected, bool& right) {
  std::array<SaId, burst> ids;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < asked.size(); at += burst) {
    table.find({asked.data() + at, burst}, ids);
    for (std::size_t i = 0; i < burst; ++i) right &= ids[i].index == expected[at + i];
  }
  return Seconds(std::chrono::steady_clock::now() - begin).count() * 1e9 / static_cast<double>(asked.size());
}

double time_sad(const rte_ipsec_sad* sad, const std::vector<std::uint32_t>& asked,
                const std::vector<std::uint32_t>& expected, bool& right) {
  std::array<rte_ipsec_sad_key, burst> keys{};
  std::array<const rte_ipsec_sad_key*, burst> pointers{};
  std::array<void*, burst> found{};
  for (std::size_t i = 0; i < burst; ++i) pointers[i] = &keys[i];
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < asked.size(); at += burst) {
    for (std::size_t i = 0; i < burst; ++i) keys[i].v4.spi = asked[at + i];
    rte_ipsec_sad_lookup(sad, pointers.data(), found.data(), burst);
    for (std::size_t i = 0; i < burst; ++i)
      right &= reinterpret_cast<std::uintptr_t>(found[i]) >> 3U == expected[at + i];
  }
  return Seconds(std::chrono::steady_clock::now() - begin).count() * 1e9 / static_cast<double>(asked.size());
}

Result<LookupRow> measure_one(std::uint32_t entries, std::uint32_t rounds) {
  // 1. Both filled with the same SPIs, random ones, as key management chooses them.
  std::mt19937 random(entries);
  std::vector<std::uint32_t> spis;
  while (spis.size() < entries) {
    while (spis.size() < entries) spis.push_back(static_cast<std::uint32_t>(random()) | first_spi);
    std::sort(spis.begin(), spis.end());
    spis.erase(std::unique(spis.begin(), spis.end()), spis.end());
  }
  std::shuffle(spis.begin(), spis.end(), random);
  tables::SpiTable table(entries);
  for (std::uint32_t i = 0; i < spis.size(); ++i)
    if (auto good = table.insert(spis[i], {i + 1, 1}); !good) return good.error();
  auto sad = fill_sad(spis);
  if (!sad) return sad.error();
  // 2. The same questions to both, in turns.
  std::vector<std::uint32_t> asked(lookups_a_round);
  std::vector<std::uint32_t> expected(asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto at = static_cast<std::uint32_t>(random() % spis.size());
    asked[i] = spis[at];
    expected[i] = at + 1;
  }
  bool right = true;
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ratios;
  for (std::uint32_t round = 0; round < rounds * 2 + 1; ++round) {
    const double a = time_ours(table, asked, expected, right);
    const double b = time_sad(sad->get(), asked, expected, right);
    if (round == 0) continue;  // warms both
    ours.push_back(a);
    theirs.push_back(b);
    ratios.push_back(b / a);
  }
  if (!right) return Error{fmt::format("SPI lookups among {}: a wrong answer", entries)};
  return LookupRow{entries, burst, median(ours), median(theirs), median(ratios), spread(ratios)};
}

}  // namespace

Result<std::vector<LookupRow>> measure_lookup(const Options& options) {
  if (auto started = start_eal(); !started) return started.error();
  pin_to(options.worker_core);  // DPDK's environment has pinned this thread to a core of its own choice
  std::vector<LookupRow> rows;
  for (const std::uint32_t entries : {1U, 1000U, options.sas}) {
    if (entries > options.sas || (!rows.empty() && entries <= rows.back().entries)) continue;
    auto row = measure_one(entries, options.rounds);
    if (!row) return row.error();
    rows.push_back(*row);
  }
  return rows;
}

}  // namespace linecrypt::bench::scale
