// What a packet costs when each may be of another SA.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <random>

#include "host/software/engine.hpp"
#include "host/tables/slot_table.hpp"
#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/scale_work/measurements.hpp"
#include "tools/linecrypt-bench/scale_work/sas.hpp"

namespace linecrypt::bench::scale {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::uint32_t burst = 32;
constexpr std::uint32_t pool_size = 8 * burst;
constexpr std::uint32_t turns = 128;  // pools a round

struct Pair {
  SaId out;
  SaId in;
};

struct Times {
  double egress = 0;
  double ingress = 0;
};

// One round: the pool goes through egress and back through ingress, `turns` times, each packet by the next SA of
// `order`.
Times run(Engine& engine, PacketPool& pool, const std::vector<Pair>& pairs, const std::vector<std::uint32_t>& order,
          std::size_t& at, bool spoil, std::uint64_t& lost) {
  Times spent;
  for (std::uint32_t turn = 0; turn < turns; ++turn) {
    const std::size_t first = at;
    for (std::uint32_t i = 0; i < pool_size; ++i) {
      pool.reset(i);
      pool.prepare(i, pairs[order[(first + i) % order.size()]].out, Operation::esp_encapsulate);
    }
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < pool_size; i += burst) engine.submit(QueueId{0}, {pool.jobs() + i, burst});
    const auto middle = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < pool_size; ++i) {
      if (pool.job(i).verdict != Verdict::ok) ++lost;
      pool.prepare(i, pairs[order[(first + i) % order.size()]].in, Operation::esp_decapsulate);
    }
    if (spoil) pool.spoil(0);
    const auto back = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < pool_size; i += burst) engine.submit(QueueId{0}, {pool.jobs() + i, burst});
    const auto end = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < pool_size; ++i)
      if (pool.job(i).verdict != Verdict::ok || !pool.whole(i)) ++lost;
    at = (first + pool_size) % order.size();
    spent.egress += Seconds(middle - begin).count();
    spent.ingress += Seconds(end - back).count();
  }
  const double packets = double{turns} * pool_size;
  return {spent.egress * 1e9 / packets, spent.ingress * 1e9 / packets};
}

// The first `count` of a random order of all pairs, so that few SAs lie as far apart in memory as many.
std::vector<std::uint32_t> order_of(std::uint32_t count, std::uint32_t all, std::mt19937& random) {
  std::vector<std::uint32_t> order(all);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  order.resize(count);
  return order;
}

}  // namespace

Result<std::vector<PacketRow>> measure_packets(const Options& options) {
  // 1. All SAs, half of them each way.
  pin_to(options.worker_core);
  const std::uint32_t all = options.sas / 2;
  tables::SlotTable slots(options.sas);
  auto engine = software::make_software_engine({options.provider});
  if (!engine) return engine.error();
  EngineSetup setup;
  setup.slots = slots.slots();
  if (auto opened = (*engine)->open(setup); !opened) return opened.error();
  std::vector<Pair> pairs;
  for (std::uint32_t i = 0; i < all; ++i) {
    const PairSas sas = make_pair_sas(i + 1);
    const Pair pair{*slots.allocate(), *slots.allocate()};
    if (auto good = (*engine)->install(pair.out, sas.out, {1, 1U << 30U}, 0); !good) return good.error();
    if (auto good = (*engine)->install(pair.in, sas.in, {}, 0); !good) return good.error();
    pairs.push_back(pair);
  }
  // 2. Rounds of 1, 1000 and all SAs in turns.
  std::mt19937 random(7);
  std::vector<PacketRow> rows;
  for (const std::uint32_t size : {64U, 1420U}) {
    PacketPool pool(pool_size, size);
    std::vector<std::vector<std::uint32_t>> orders;
    for (const std::uint32_t count : {1U, 1000U, all})
      if (count <= all && (orders.empty() || count > orders.back().size()))
        orders.push_back(order_of(count, all, random));
    std::vector<std::size_t> at(orders.size());
    std::vector<std::vector<double>> egress(orders.size());
    std::vector<std::vector<double>> ingress(orders.size());
    std::uint64_t lost = 0;
    for (std::uint32_t round = 0; round < options.rounds + 1; ++round) {
      for (std::size_t k = 0; k < orders.size(); ++k) {
        const Times spent = run(**engine, pool, pairs, orders[k], at[k], options.spoil_packet, lost);
        if (round == 0) continue;  // warms
        egress[k].push_back(spent.egress);
        ingress[k].push_back(spent.ingress);
      }
    }
    for (std::size_t k = 0; k < orders.size(); ++k) {
      PacketRow row{size, static_cast<std::uint32_t>(orders[k].size()),   median(egress[k]), median(ingress[k]), 1, 1,
                    lost, std::max(spread(egress[k]), spread(ingress[k]))};
      if (k != 0) {
        std::vector<double> out;
        std::vector<double> in;
        for (std::size_t i = 0; i < egress[k].size(); ++i) {
          out.push_back(egress[k][i] / egress[k - 1][i]);
          in.push_back(ingress[k][i] / ingress[k - 1][i]);
        }
        row.egress_ratio = median(out);
        row.ingress_ratio = median(in);
      }
      rows.push_back(row);
    }
  }
  (*engine)->close();
  return rows;
}

}  // namespace linecrypt::bench::scale
