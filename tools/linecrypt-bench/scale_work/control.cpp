// SAs come and go: installs, removals, and rekeys while a worker sends through all of them and misses no packet.
#include <fmt/format.h>
#include <rte_config.h>
#include <rte_rcu_qsbr.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <variant>

#include "host/control/sa_control.hpp"
#include "host/keys/ephemeral_registry.hpp"
#include "host/software/engine.hpp"
#include "host/tables/slot_table.hpp"
#include "tools/linecrypt-bench/measure/machine.hpp"
#include "tools/linecrypt-bench/measure/statistics.hpp"
#include "tools/linecrypt-bench/scale_work/measurements.hpp"
#include "tools/linecrypt-bench/scale_work/sas.hpp"

namespace linecrypt::bench::scale {
namespace {

using Seconds = std::chrono::duration<double>;
using Now = std::chrono::steady_clock;

constexpr std::uint32_t burst = 32;
constexpr std::uint32_t packet_size = 64;
constexpr std::uint32_t sas_largest = 1U << 20U;  // of the software engine

double since(Now::time_point begin) {
  return Seconds(Now::now() - begin).count();
}

// One worker's quiescent states, by DPDK.
class Grace {
 public:
  Grace() : state_(static_cast<rte_rcu_qsbr*>(std::aligned_alloc(64, (rte_rcu_qsbr_get_memsize(1) + 63) / 64 * 64))) {
    rte_rcu_qsbr_init(state_.get(), 1);
  }
  void enter() noexcept {
    rte_rcu_qsbr_thread_register(state_.get(), 0);
    rte_rcu_qsbr_thread_online(state_.get(), 0);
  }
  void leave() noexcept {
    rte_rcu_qsbr_thread_offline(state_.get(), 0);
    rte_rcu_qsbr_thread_unregister(state_.get(), 0);
  }
  void quiescent() noexcept { rte_rcu_qsbr_quiescent(state_.get(), 0); }
  std::uint64_t begin() noexcept { return rte_rcu_qsbr_start(state_.get()); }
  bool passed(std::uint64_t token) noexcept { return rte_rcu_qsbr_check(state_.get(), token, false) != 0; }
  void wait() noexcept { rte_rcu_qsbr_synchronize(state_.get(), RTE_QSBR_THRID_INVALID); }
  Reclamation reclamation() noexcept {
    return {this, [](void* self) { static_cast<Grace*>(self)->wait(); },
            [](void* self) { return static_cast<Grace*>(self)->begin(); },
            [](void* self, std::uint64_t token) { return static_cast<Grace*>(self)->passed(token); }};
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<rte_rcu_qsbr, Free> state_;
};

// A way of installing. The two directions may stand for two hosts.
class Control {
 public:
  virtual ~Control() = default;
  virtual Result<SaId> add(const Sa& sa) = 0;
  virtual Result<void> remove(Direction direction, SaId id) = 0;
  virtual void service() = 0;
  virtual Engine& engine(Direction direction) = 0;
};

// The engine and the slot table, nothing else.
class EngineControl final : public Control {
 public:
  static Result<std::unique_ptr<Control>> make(const Options& options, Grace& grace, std::uint32_t room) {
    auto engine = software::make_software_engine({options.provider});
    if (!engine) return engine.error();
    auto made = std::make_unique<EngineControl>(std::move(*engine), room);
    EngineSetup setup;
    setup.slots = made->slots_.slots();
    setup.reclamation = grace.reclamation();
    if (auto opened = made->engine_->open(setup); !opened) return opened.error();
    return std::unique_ptr<Control>(std::move(made));
  }
  EngineControl(std::unique_ptr<Engine> engine, std::uint32_t room) : slots_(room), engine_(std::move(engine)) {}
  ~EngineControl() override { engine_->close(); }

  Result<SaId> add(const Sa& sa) override {
    auto id = slots_.allocate();
    if (!id) return id;
    const Lease lease = std::get<EspSa>(sa).direction == Direction::egress ? Lease{1, 1U << 20U} : Lease{};
    if (auto good = engine_->install(*id, sa, lease, 0); !good) return good.error();
    return id;
  }
  Result<void> remove(Direction /*direction*/, SaId id) override {
    if (auto good = engine_->remove(id); !good) return good;
    slots_.release(id);
    return {};
  }
  void service() override {
    Event events[16];
    while (engine_->events(events) == std::size(events)) {
    }
  }
  Engine& engine(Direction /*direction*/) override { return *engine_; }

 private:
  tables::SlotTable slots_;
  std::unique_ptr<Engine> engine_;
};

// As the gateway does it: each key is claimed, its numbers are lent, the SPI goes into the lookup table. One context
// refuses a key for both directions, so the two ends of a pair stand in two.
class ClaimingControl final : public Control {
 public:
  static Result<std::unique_ptr<Control>> make(const Options& options, Grace& grace, std::uint32_t room) {
    auto made = std::make_unique<ClaimingControl>();
    for (End& end : made->ends_)
      if (auto opened = open(end, options, grace, room / 2); !opened) return opened.error();
    return std::unique_ptr<Control>(std::move(made));
  }

  Result<SaId> add(const Sa& sa) override {
    const auto& esp = std::get<EspSa>(sa);
    return at(esp.direction).control->add(esp, keys::KeyLife::ephemeral, "bench");
  }
  Result<void> remove(Direction direction, SaId id) override { return at(direction).control->remove(id); }
  void service() override {
    for (End& end : ends_) end.control->service();
  }
  Engine& engine(Direction direction) override { return *at(direction).engine; }

 private:
  struct End {
    std::unique_ptr<Engine> engine;
    std::unique_ptr<keys::EphemeralRegistry> registry;
    std::unique_ptr<control::SaControl> control;
  };
  static Result<void> open(End& end, const Options& options, Grace& grace, std::uint32_t room) {
    auto engine = software::make_software_engine({options.provider});
    if (!engine) return engine.error();
    end.engine = std::move(*engine);
    auto registry = keys::open_ephemeral_registry();
    if (!registry) return registry.error();
    end.registry = std::move(*registry);
    control::SaControlOptions with;
    with.engine = end.engine.get();
    with.registry = end.registry.get();
    with.max_sas = room;
    with.reclamation = grace.reclamation();
    auto control = control::SaControl::open(with);
    if (!control) return control.error();
    end.control = std::move(*control);
    return {};
  }
  End& at(Direction direction) noexcept { return ends_[direction == Direction::egress ? 0 : 1]; }

  End ends_[2];
};

// ---- pairs that a worker sends through ----

struct Pair {
  SaId out;
  SaId in;
};

// What the worker sees of pair k is one index into entries, switched by one atomic write. An entry is written while
// nobody can see it.
struct Shared {
  Shared(std::uint32_t pairs, std::uint32_t room) : current(pairs), entries(room) {}
  std::vector<std::atomic<std::uint32_t>> current;
  std::vector<Pair> entries;
  std::atomic<bool> stop{false};
};

struct Sent {
  std::uint64_t packets = 0;
  std::uint64_t lost = 0;
};

// Bursts through random pairs and back, until told to stop. Each packet must come back whole.
Sent send(Control& control, Shared& shared, Grace& grace) {
  Sent sent;
  PacketPool pool(burst, packet_size);
  std::mt19937 random(11);
  std::array<std::uint32_t, burst> entry{};
  Engine& out = control.engine(Direction::egress);
  Engine& in = control.engine(Direction::ingress);
  grace.enter();
  while (!shared.stop.load(std::memory_order_relaxed)) {
    for (std::uint32_t i = 0; i < burst; ++i) {
      entry[i] = shared.current[random() % shared.current.size()].load(std::memory_order_acquire);
      pool.reset(i);
      pool.prepare(i, shared.entries[entry[i]].out, Operation::esp_encapsulate);
    }
    out.submit(QueueId{0}, {pool.jobs(), burst});
    for (std::uint32_t i = 0; i < burst; ++i) {
      if (pool.job(i).verdict != Verdict::ok) ++sent.lost;
      pool.prepare(i, shared.entries[entry[i]].in, Operation::esp_decapsulate);
    }
    in.submit(QueueId{0}, {pool.jobs(), burst});
    for (std::uint32_t i = 0; i < burst; ++i)
      if (pool.job(i).verdict != Verdict::ok || !pool.whole(i)) ++sent.lost;
    sent.packets += burst;
    grace.quiescent();
  }
  grace.leave();
  return sent;
}

class Run {
 public:
  // `room`: pairs that may be installed at a time, the leaving ones included.
  Run(Control& control, Grace& grace, std::uint32_t pairs, std::uint32_t room)
      : control_(control), grace_(grace), shared_(pairs, room) {
    for (std::uint32_t i = 0; i < shared_.entries.size(); ++i) free_.push_back(i);
  }

  // SAs a second.
  Result<double> install(std::uint64_t& serial) {
    const auto begin = Now::now();
    for (auto& current : shared_.current) {
      auto entry = add(++serial);
      if (!entry) return entry.error();
      current.store(*entry, std::memory_order_release);
    }
    return 2 * static_cast<double>(shared_.current.size()) / since(begin);
  }

  // 1. The new pair, complete. 2. The switch. 3. The old one goes once the worker cannot have it in its hands. 4. Time
  // ends when the last old SA is gone.
  Result<double> rekey(double seconds, int worker_core, std::uint64_t& serial, Sent& sent, double& mpps) {
    shared_.stop = false;
    std::thread worker([&] {
      pin_to(worker_core);
      sent = send(control_, shared_, grace_);
    });
    std::mt19937 random(static_cast<std::uint32_t>(serial));
    std::uint64_t replaced = 0;
    Result<void> good;
    const auto begin = Now::now();
    while (good && since(begin) < seconds) {
      for (int i = 0; good && i < 64; ++i) {
        // 1.
        auto fresh = add(++serial);
        if (!fresh) {
          good = fresh.error();
          break;
        }
        // 2.
        auto& current = shared_.current[random() % shared_.current.size()];
        leaving_.push_back({current.exchange(*fresh, std::memory_order_acq_rel), grace_.begin()});
        ++replaced;
        // 3.
        good = let_go(false);
      }
      control_.service();
    }
    // 4.
    if (good) good = let_go(true);
    const double spent = since(begin);
    shared_.stop = true;
    worker.join();
    if (!good) return good.error();
    mpps = static_cast<double>(sent.packets) / spent / 1e6;
    return 2 * static_cast<double>(replaced) / spent;
  }

  Result<double> remove() {
    const auto begin = Now::now();
    for (const auto& current : shared_.current)
      if (auto good = drop(current.load()); !good) return good.error();
    control_.service();
    return 2 * static_cast<double>(shared_.current.size()) / since(begin);
  }

 private:
  struct Leaving {
    std::uint32_t entry = 0;
    std::uint64_t token = 0;
  };

  Result<std::uint32_t> add(std::uint64_t serial) {
    if (free_.empty())
      if (auto good = let_go(true); !good) return good.error();
    const PairSas sas = make_pair_sas(serial);
    auto out = control_.add(sas.out);
    if (!out) return out.error();
    auto in = control_.add(sas.in);
    if (!in) return in.error();
    const std::uint32_t entry = free_.front();
    free_.pop_front();
    shared_.entries[entry] = {*out, *in};
    return entry;
  }
  Result<void> drop(std::uint32_t entry) {
    if (auto good = control_.remove(Direction::egress, shared_.entries[entry].out); !good) return good;
    if (auto good = control_.remove(Direction::ingress, shared_.entries[entry].in); !good) return good;
    free_.push_back(entry);
    return {};
  }
  Result<void> let_go(bool all) {
    while (!leaving_.empty()) {
      if (!grace_.passed(leaving_.front().token)) {
        if (!all) return {};
        grace_.wait();
      }
      if (auto good = drop(leaving_.front().entry); !good) return good;
      leaving_.pop_front();
    }
    return {};
  }

  Control& control_;
  Grace& grace_;
  Shared shared_;
  std::deque<std::uint32_t> free_;
  std::deque<Leaving> leaving_;
};

using Make = Result<std::unique_ptr<Control>> (*)(const Options&, Grace&, std::uint32_t);

Result<ControlRow> measure_way(const char* way, Make make, const Options& options, std::uint64_t& serial) {
  ControlRow row;
  row.way = way;
  std::vector<double> installs;
  std::vector<double> removals;
  std::vector<double> rekeys;
  std::vector<double> mpps;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    Grace grace;
    const std::uint32_t pairs = options.sas / 2;
    const std::uint32_t room = std::min(sas_largest, options.sas + options.sas / 8 + 4096);
    auto control = make(options, grace, room);
    if (!control) return control.error();
    // Half of the spare slots for pairs on their way out; the other half rests (tables::SlotTable).
    Run run(**control, grace, pairs, pairs + (room / 2 - pairs) / 2);
    const std::uint64_t own = resident_bytes();
    auto installed = run.install(serial);
    if (!installed) return installed.error();
    if (round == 0) row.bytes = static_cast<double>(resident_bytes() - own) / options.sas;
    Sent sent;
    double rate = 0;
    auto rekeyed = run.rekey(options.seconds, options.worker_core, serial, sent, rate);
    if (!rekeyed) return rekeyed.error();
    auto removed = run.remove();
    if (!removed) return removed.error();
    installs.push_back(*installed);
    rekeys.push_back(*rekeyed);
    removals.push_back(*removed);
    mpps.push_back(rate);
    row.packets += sent.packets;
    row.lost += sent.lost;
  }
  row.installs = median(installs);
  row.removals = median(removals);
  row.rekeys = median(rekeys);
  row.spread = spread(rekeys);
  row.mpps = median(mpps);
  return row;
}

}  // namespace

Result<std::vector<ControlRow>> measure_control(const Options& options) {
  pin_to(options.control_core);
  std::vector<ControlRow> rows;
  std::uint64_t serial = 0;
  auto engine = measure_way("engine", EngineControl::make, options, serial);
  if (!engine) return engine.error();
  rows.push_back(*engine);
  auto claiming = measure_way("engine and key claims", ClaimingControl::make, options, serial);
  if (!claiming) return claiming.error();
  rows.push_back(*claiming);
  return rows;
}

}  // namespace linecrypt::bench::scale
