#include "host/engines/fault.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "host/engines/slot_state.hpp"

namespace linecrypt::engines {
namespace {

constexpr bool is_egress(Operation operation) noexcept {
  return operation == Operation::esp_encapsulate || operation == Operation::macsec_protect;
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  bool one_in_a_million(std::uint32_t times) { return times != 0 && below(1'000'000) < times; }
  std::uint64_t below(std::uint64_t end) { return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(random_); }

 private:
  std::mt19937_64 random_;
};

// Takes one of `left` if there is one.
bool take_one(std::atomic<std::uint32_t>& left) noexcept {
  std::uint32_t now = left.load(std::memory_order_relaxed);
  while (now != 0) {
    if (left.compare_exchange_weak(now, now - 1)) return true;
  }
  return false;
}

// What queues and control share.
struct Faults {
  explicit Faults(const FaultOptions& from) : options(from) {}

  void lose(const char* why) noexcept {
    if (lost.exchange(true, std::memory_order_acq_rel)) return;
    reason.store(why, std::memory_order_relaxed);
    losses.fetch_add(1);
  }
  [[nodiscard]] bool planned(Chance& chance, std::uint32_t times) const {
    return plan_runs.load(std::memory_order_relaxed) && chance.one_in_a_million(times);
  }

  FaultOptions options;
  std::atomic<bool> plan_runs{true};
  std::atomic<bool> lost{false};
  std::atomic<bool> gone{false};  // lost, and being reset: the inner engine is out of reach for workers
  std::atomic<const char*> reason{""};
  std::atomic<std::uint32_t> hang_left{0};
  std::atomic<bool> hang_loses{false};
  std::atomic<std::uint32_t> submits_refused{0};
  std::atomic<std::uint32_t> answers_left{0};
  std::atomic<Verdict> answer{Verdict::unsupported};
  std::atomic<std::uint64_t> losses{0}, lost_jobs{0}, done_unseen{0}, answered{0};
};

// One queue: what a worker has given to the card and not got back.
class FaultQueue {
 public:
  FaultQueue(Engine& inner, std::span<SaSlot> inside, std::span<SaSlot> outside, QueueId id, Faults& faults)
      : inner_(&inner),
        inside_(inside),
        outside_(outside),
        id_(id),
        faults_(&faults),
        chance_(faults.options.seed * 1000 + static_cast<std::uint64_t>(id) + 1) {}

  std::uint32_t submit(std::span<Job* const> jobs) {
    const FaultOptions& options = faults_->options;
    if (hangs()) return 0;
    if (is_lost()) return submit_lost(jobs);
    if (take_one(faults_->submits_refused) || faults_->planned(chance_, options.plan.refuse_submit)) return 0;
    const std::uint64_t room = options.capacity - std::min<std::uint64_t>(held_.size(), options.capacity);
    std::uint64_t accepted = std::min<std::uint64_t>(jobs.size(), room);
    if (options.most_accepted != 0 && options.most_polls_late != 0)
      accepted = chance_.below(std::min<std::uint64_t>(accepted, options.most_accepted) + 1);
    for (std::uint64_t i = 0; i < accepted; ++i) {
      if (options.most_polls_late == 0) {
        run(*jobs[i]);
        continue;
      }
      std::uint64_t due = polls_ + 1 + chance_.below(options.most_polls_late);
      if (!held_.empty()) due = std::max(due, held_.back().due);
      jobs[i]->verdict = Verdict::pending;
      held_.push_back({jobs[i], due});
    }
    return static_cast<std::uint32_t>(accepted);
  }

  std::uint32_t poll(std::span<Job*> done) {
    ++polls_;
    if (hangs()) return 0;
    const bool lost = is_lost();
    if (lost) lose_held();
    std::uint32_t count = 0;
    while (count < done.size() && !held_.empty() && (lost || held_.front().due <= polls_)) {
      Job* const job = held_.front().job;
      held_.pop_front();
      if (lost) {
        job->verdict_stage = 0;
        job->verdict = Verdict::engine_lost;
        faults_->lost_jobs.fetch_add(1);
      } else {
        run(*job);
      }
      done[count++] = job;
    }
    if (held_.empty()) unseen_done_ = false;
    return count;
  }

 private:
  struct Held {
    Job* job;
    std::uint64_t due;
  };

  bool hangs() {
    const FaultPlan& plan = faults_->options.plan;
    if (faults_->planned(chance_, plan.hang)) {
      faults_->hang_loses.store(chance_.one_in_a_million(plan.hang_then_lose));
      faults_->hang_left.store(plan.hang_calls);
    }
    if (!take_one(faults_->hang_left)) return false;
    if (faults_->hang_left.load() == 0 && faults_->hang_loses.exchange(false)) faults_->lose("it hung");
    return true;
  }

  bool is_lost() {
    if (faults_->planned(chance_, faults_->options.plan.lose)) faults_->lose("planned");
    return faults_->lost.load(std::memory_order_acquire);
  }

  // Answers at once, or takes none; never before those that came earlier.
  std::uint32_t submit_lost(std::span<Job* const> jobs) {
    lose_held();
    if (!held_.empty() || chance_.below(2) == 0) return 0;
    for (Job* const job : jobs) {
      job->verdict_stage = 0;
      job->verdict = Verdict::engine_lost;
    }
    faults_->lost_jobs.fetch_add(jobs.size());
    return static_cast<std::uint32_t>(jobs.size());
  }

  // The card had done some of them, in order, and nobody will ever see what came out.
  void lose_held() {
    if (unseen_done_ || held_.empty()) return;
    unseen_done_ = true;
    if (faults_->gone.load(std::memory_order_acquire)) return;
    const std::uint64_t done = chance_.below(held_.size() + 1);
    for (std::uint64_t i = 0; i < done; ++i) run_unseen(*held_[i].job);
    faults_->done_unseen.fetch_add(done);
  }

  void run_unseen(const Job& job) {
    const Packet& from = *job.source;
    const Packet& to = *job.destination;
    const std::uint32_t front = std::max(from.headroom, to.headroom);
    const std::uint32_t back = std::max(from.tailroom, to.tailroom);
    std::vector<std::uint8_t> memory(front + from.length + back);
    std::memcpy(memory.data() + front, from.data, from.length);
    Packet packet{memory.data() + front, from.length, front, back, from.next};
    Job copy = job;
    copy.source = copy.destination = &packet;
    copy.verdict = Verdict::pending;
    inside(copy);
    cleanse(memory.data(), memory.size());
  }

  // Through the inner engine; says which numbers it used.
  void inside(Job& job) {
    std::array<std::uint64_t, 2> before{};
    for (std::size_t i = 0; i < 2; ++i) before[i] = next_number(job.stages[i]);
    Job* one = &job;
    [[maybe_unused]] const std::uint32_t taken = inner_->submit(id_, {&one, 1});
    assert(taken == 1 && job.verdict != Verdict::pending);
    const auto& spent = faults_->options.spent;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::uint64_t after = next_number(job.stages[i]);
      if (after != before[i] && spent.number != nullptr) spent.number(spent.self, job.stages[i].sa, after - 1);
    }
  }
  [[nodiscard]] std::uint64_t next_number(const Stage& stage) const {
    if (!is_egress(stage.operation) || stage.sa.index >= inside_.size()) return 0;
    return inside_[stage.sa.index].next_number.load(std::memory_order_relaxed);
  }

  void run(Job& job) {
    const FaultPlan& plan = faults_->options.plan;
    // 1. Not done at all.
    const bool asked = take_one(faults_->answers_left);
    if (asked || faults_->planned(chance_, plan.punt)) {
      job.verdict_stage = 0;
      job.verdict = asked ? faults_->answer.load() : Verdict::unsupported;
      faults_->answered.fetch_add(1);
      return;
    }
    // 2. Done; the caller's slots learn of it now.
    inside(job);
    for (const Stage& stage : job.stages) show(stage.sa);
    // 3. Done, and a lie told.
    if (job.verdict == Verdict::ok && faults_->planned(chance_, plan.wrong_verdict)) {
      if (!is_egress(job.stages[0].operation)) std::memset(job.destination->data, 0, job.destination->length);
      job.verdict = plan.wrong;
      faults_->answered.fetch_add(1);
    }
  }

  void show(SaId id) {
    if (id.index >= outside_.size()) return;
    const SaSlot& from = inside_[id.index];
    SaSlot& to = outside_[id.index];
    if (!id.valid() || to.generation.load(std::memory_order_acquire) != id.generation) return;
    to.next_number.store(from.next_number.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.lease_end.store(from.lease_end.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.expired.store(from.expired.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.window.copy_from(from.window);
    CounterBase().show(to.counters, &from.counters);
  }

  Engine* inner_;
  std::span<SaSlot> inside_;
  std::span<SaSlot> outside_;
  QueueId id_;
  Faults* faults_;
  Chance chance_;
  std::deque<Held> held_;
  std::uint64_t polls_ = 0;
  bool unseen_done_ = false;
};

class Fault final : public FaultEngine {
 public:
  Fault(std::unique_ptr<Engine> inner, const FaultOptions& options)
      : inner_(std::move(inner)), faults_(options), chance_(options.seed), capabilities_(inner_->capabilities()) {
    assert(capabilities_.immediate);
    capabilities_.engine = "faulty " + capabilities_.engine;
    capabilities_.immediate = options.most_polls_late == 0;
    capabilities_.window_restore = capabilities_.window_restore && options.keeps_window;
    if (options.limit != nullptr) options.limit(capabilities_);
  }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return inner_->memory(); }
  Result<void> self_test() override { return inner_->self_test(); }

  Result<void> open(const EngineSetup& setup) override {
    if (faults_.lost.load()) return lost_error();
    setup_ = setup;
    inside_ = std::make_unique<SaSlot[]>(setup.slots.size());
    words_.clear();
    words_.resize(setup.slots.size());
    EngineSetup inner = setup;
    inner.slots = {inside_.get(), setup.slots.size()};
    if (auto opened = inner_->open(inner); !opened) return opened;
    free_slots();
    queues_.clear();
    for (std::uint32_t i = 0; i < setup.queues; ++i)
      queues_.push_back(std::make_unique<FaultQueue>(*inner_, inner.slots, setup.slots, QueueId(i), faults_));
    return {};
  }
  void close() override {
    inner_->close();
    free_slots();
    queues_.clear();
  }

  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    if (auto bad = out_of_reach()) return *bad;
    if (take_one(installs_refused_)) return Error{"faulty engine: install refused on demand"};
    if (auto fits = std::visit([this](const auto& one) { return check(capabilities_, one); }, sa); !fits) return fits;
    if (auto done = inner_->install(id, sa, lease, window_top); !done) return done;
    if (auto bad = lost_after()) return *bad;
    const SaSlot& from = inside_[id.index];
    SaSlot& to = setup_.slots[id.index];
    to.protocol = from.protocol;
    to.direction = from.direction;
    to.expired.store(false, std::memory_order_relaxed);
    to.next_number.store(from.next_number.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.lease_end.store(from.lease_end.load(std::memory_order_relaxed), std::memory_order_relaxed);
    words_[id.index] = std::make_unique<std::uint64_t[]>(ReplayWindow::words_for(from.window.size()));
    to.window.attach(words_[id.index].get(), from.window.size());
    to.window.copy_from(from.window);
    std::construct_at(&to.counters);
    to.generation.store(id.generation, std::memory_order_release);
    return {};
  }
  Result<void> update(SaId id, const SaUpdate& update) override {
    if (auto bad = out_of_reach()) return *bad;
    const auto* const restore = std::get_if<RestoreWindow>(&update);
    if (restore != nullptr && !capabilities_.window_restore) return Error{"faulty engine: takes no RestoreWindow"};
    if (auto done = inner_->update(id, update); !done) return done;
    if (auto bad = lost_after()) return *bad;
    if (restore != nullptr) setup_.slots[id.index].window.copy_from(*restore->window);
    if (std::holds_alternative<Expire>(update)) setup_.slots[id.index].expired.store(true, std::memory_order_relaxed);
    return {};
  }
  Result<void> remove(SaId id) override {
    if (auto bad = out_of_reach()) return *bad;
    if (auto done = inner_->remove(id); !done) return done;
    SaSlot& slot = setup_.slots[id.index];
    slot.generation.store(0, std::memory_order_release);
    if (setup_.reclamation.wait_for_workers != nullptr) setup_.reclamation.wait_for_workers(setup_.reclamation.self);
    slot.window.attach(nullptr, 0);
    if (auto bad = lost_after()) return *bad;
    return {};
  }
  [[nodiscard]] Result<SaState> read(SaId id) const override {
    if (auto bad = out_of_reach()) return *bad;
    return inner_->read(id);
  }

  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override {
    return queues_[static_cast<std::size_t>(queue)]->submit(jobs);
  }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override {
    return queues_[static_cast<std::size_t>(queue)]->poll(done);
  }
  std::uint32_t events(std::span<Event> out) override {
    if (out_of_reach()) return 0;
    const std::uint32_t count = inner_->events(out);
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (take_one(events_dropped_) || faults_.planned(chance_, faults_.options.plan.drop_event))
        dropped_.fetch_add(1);
      else
        out[kept++] = out[i];
    }
    return kept;
  }

  // ---- EngineHealth ----
  [[nodiscard]] EngineState state() const noexcept override {
    if (faults_.gone.load(std::memory_order_acquire)) return look();
    return faults_.lost.load(std::memory_order_acquire) ? EngineState::lost : EngineState::ready;
  }
  [[nodiscard]] std::string reason() const override {
    return faults_.lost.load() ? faults_.reason.load() : std::string();
  }
  // 1. Workers keep off the inner engine. 2. Reset: whatever was installed is gone.
  void try_recover() override {
    if (faults_.gone.load() || take_one(recoveries_refused_)) return;
    // 1.
    faults_.gone.store(true, std::memory_order_release);
    if (setup_.reclamation.wait_for_workers != nullptr) setup_.reclamation.wait_for_workers(setup_.reclamation.self);
    // 2.
    inner_->close();
    EngineSetup inner = setup_;
    inner.slots = {inside_.get(), setup_.slots.size()};
    [[maybe_unused]] const auto opened = inner_->open(inner);
    assert(opened.ok());
    free_slots();
    looks_.store(faults_.options.recovering_looks);
  }

  std::optional<Result<void>> self_test_step() override { return self_test(); }

  // ---- on demand ----
  void lose(const char* reason) noexcept override { faults_.lose(reason); }
  void hang(std::uint32_t calls, bool then_lost) noexcept override {
    faults_.hang_loses.store(then_lost);
    faults_.hang_left.store(calls);
  }
  void refuse_submits(std::uint32_t calls) noexcept override { faults_.submits_refused.store(calls); }
  void refuse_installs(std::uint32_t calls) noexcept override { installs_refused_.store(calls); }
  void refuse_recoveries(std::uint32_t attempts) noexcept override { recoveries_refused_.store(attempts); }
  void drop_events(std::uint32_t events) noexcept override { events_dropped_.store(events); }
  void answer(std::uint32_t jobs, Verdict verdict) noexcept override {
    faults_.answer.store(verdict);
    faults_.answers_left.store(jobs);
  }
  void stop_plan() noexcept override { faults_.plan_runs.store(false); }

  [[nodiscard]] FaultCounts counts() const noexcept override {
    return {faults_.losses.load(),      recoveries_.load(),      faults_.lost_jobs.load(),
            faults_.done_unseen.load(), faults_.answered.load(), dropped_.load()};
  }

 private:
  [[nodiscard]] Error lost_error() const { return Error{std::string("faulty engine: lost: ") + faults_.reason.load()}; }
  [[nodiscard]] std::optional<Error> out_of_reach() const {
    if (faults_.lost.load(std::memory_order_acquire)) return lost_error();
    if (faults_.hang_left.load() != 0) return Error{"faulty engine: does not answer"};
    return std::nullopt;
  }
  // The worst moment: the card has it, and nobody knows.
  std::optional<Error> lost_after() {
    if (!faults_.planned(chance_, faults_.options.plan.lose_in_control)) return std::nullopt;
    faults_.lose("planned, in a control call");
    return lost_error();
  }
  void free_slots() {
    for (SaSlot& slot : setup_.slots) {
      slot.generation.store(0, std::memory_order_release);
      slot.protocol = SaProtocol::none;
      slot.window.attach(nullptr, 0);
    }
  }
  [[nodiscard]] EngineState look() const noexcept {
    if (take_one(looks_)) return EngineState::recovering;
    if (faults_.gone.load()) {
      recoveries_.fetch_add(1);
      faults_.lost.store(false);
      faults_.gone.store(false, std::memory_order_release);
    }
    return EngineState::ready;
  }

  std::unique_ptr<Engine> inner_;
  mutable Faults faults_;
  Chance chance_;  // of the control thread
  Capabilities capabilities_;
  EngineSetup setup_;
  std::unique_ptr<SaSlot[]> inside_;
  std::vector<std::unique_ptr<std::uint64_t[]>> words_;
  std::vector<std::unique_ptr<FaultQueue>> queues_;
  std::atomic<std::uint32_t> installs_refused_{0}, recoveries_refused_{0}, events_dropped_{0};
  std::atomic<std::uint64_t> dropped_{0};
  mutable std::atomic<std::uint64_t> recoveries_{0};
  mutable std::atomic<std::uint32_t> looks_{0};
};

}  // namespace

std::unique_ptr<FaultEngine> make_fault_engine(std::unique_ptr<Engine> inner, const FaultOptions& options) {
  return std::make_unique<Fault>(std::move(inner), options);
}

}  // namespace linecrypt::engines
