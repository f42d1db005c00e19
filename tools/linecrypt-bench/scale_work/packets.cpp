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
std::vector<std::uint32_t> order_of(std::uint32_t count, std::size_t all, std::mt19937& random) {
  std::vector<std::uint32_t> order(all);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  order.resize(count);
  return order;
}

// An engine with its SAs.
class Gateway {
 public:
  static Result<std::unique_ptr<Gateway>> make(const Options& options, std::uint32_t pairs,
                                               std::uint64_t first_serial) {
    auto engine = software::make_software_engine({options.provider});
    if (!engine) return engine.error();
    auto gateway = std::make_unique<Gateway>(std::move(*engine), 2 * pairs);
    EngineSetup setup;
    setup.slots = gateway->slots_.slots();
    if (auto opened = gateway->engine_->open(setup); !opened) return opened.error();
    for (std::uint32_t i = 0; i < pairs; ++i) {
      const PairSas sas = make_pair_sas(first_serial + i);
      const Pair pair{*gateway->slots_.allocate(), *gateway->slots_.allocate()};
      if (auto good = gateway->engine_->install(pair.out, sas.out, {1, 1U << 30U}, 0); !good) return good.error();
      if (auto good = gateway->engine_->install(pair.in, sas.in, {}, 0); !good) return good.error();
      gateway->pairs_.push_back(pair);
    }
    return gateway;
  }
  Gateway(std::unique_ptr<Engine> engine, std::uint32_t room) : slots_(room), engine_(std::move(engine)) {}
  ~Gateway() { engine_->close(); }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] const std::vector<Pair>& pairs() const noexcept { return pairs_; }

 private:
  tables::SlotTable slots_;
  std::unique_ptr<Engine> engine_;
  std::vector<Pair> pairs_;
};

// What one row measures: packets over some of a gateway's SAs.
struct Case {
  Gateway* gateway = nullptr;
  std::uint32_t used = 0;
  std::size_t base = 0;  // the case that its ratio is to
  std::vector<std::uint32_t> order{};
  std::size_t at = 0;
  std::vector<double> egress{};
  std::vector<double> ingress{};
};

// Of the paired rounds.
double ratio_to(const std::vector<double>& times, const std::vector<double>& base) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < times.size(); ++i) ratios.push_back(times[i] / base[i]);
  return median(ratios);
}

}  // namespace

Result<std::vector<PacketRow>> measure_packets(const Options& options) {
  constexpr std::uint32_t thousand = 1000;
  pin_to(options.worker_core);
  // 1. A gateway with at most a thousand SAs each way, and one with all.
  const std::uint32_t all = options.sas / 2;
  const std::uint32_t few = std::min(all, thousand);
  auto small = Gateway::make(options, few, 1);
  if (!small) return small.error();
  std::unique_ptr<Gateway> large;
  if (all > few) {
    auto made = Gateway::make(options, all, 1 + std::uint64_t{few});
    if (!made) return made.error();
    large = std::move(*made);
  }
  std::mt19937 random(7);
  std::vector<PacketRow> rows;
  for (const std::uint32_t size : {64U, 1420U}) {
    PacketPool pool(pool_size, size);
    std::vector<Case> cases{{small->get(), 1, 0}, {small->get(), few, 0}};
    if (large != nullptr) cases.insert(cases.end(), {{large.get(), few, 1}, {large.get(), all, 1}});
    for (Case& one : cases) one.order = order_of(one.used, one.gateway->pairs().size(), random);
    // 2. Rounds of all cases in turns; the first one warms.
    std::uint64_t lost = 0;
    for (std::uint32_t round = 0; round < options.rounds + 1; ++round) {
      for (Case& one : cases) {
        const Times spent =
            run(one.gateway->engine(), pool, one.gateway->pairs(), one.order, one.at, options.spoil_packet, lost);
        if (round == 0) continue;
        one.egress.push_back(spent.egress);
        one.ingress.push_back(spent.ingress);
      }
    }
    // 3.
    for (const Case& one : cases) {
      const Case& base = cases[one.base];
      rows.push_back({size, static_cast<std::uint32_t>(one.gateway->pairs().size()), one.used, median(one.egress),
                      median(one.ingress), ratio_to(one.egress, base.egress), ratio_to(one.ingress, base.ingress), lost,
                      std::max(spread(one.egress), spread(one.ingress))});
    }
  }
  return rows;
}

}  // namespace linecrypt::bench::scale
