#include "driver/card/engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "driver/card/records/capabilities.hpp"
#include "host/values/clock.hpp"
#include "host/values/vector_registers.hpp"

namespace linecrypt::card {
namespace {

constexpr std::uint32_t queues_largest = 64;
constexpr EventKind all_kinds[] = {EventKind::lease_low,     EventKind::lease_exhausted, EventKind::soft_lifetime,
                                   EventKind::hard_lifetime, EventKind::pn_threshold,    EventKind::number_exhausted};

Result<void> check_options(const CardOptions& options) {
  constexpr std::uint32_t smallest = 64U << 10U;
  constexpr std::uint32_t largest = 1U << 20U;
  if (options.slab_bytes < smallest || options.slab_bytes > largest || options.slab_bytes % abi::page != 0)
    return Error{fmt::format("slab_bytes: {}, allowed: {} to {}, a multiple of {}", options.slab_bytes, smallest,
                             largest, abi::page)};
  if (options.slabs < 2 || options.slabs > Lane::ring_entries / 2)
    return Error{fmt::format("slabs: {}, allowed: 2 to {}", options.slabs, Lane::ring_entries / 2)};
  if (options.queue_jobs < 64 || options.queue_jobs > 65536 || !std::has_single_bit(options.queue_jobs))
    return Error{fmt::format("queue_jobs: {}, allowed: a power of two from 64 to 65536", options.queue_jobs)};
  return {};
}

}  // namespace

const char* name(CardState state) noexcept {
  switch (state) {
    case CardState::closed:
      return "closed";
    case CardState::opening:
      return "opening";
    case CardState::ready:
      return "ready";
    case CardState::lost:
      return "lost";
  }
  return "unknown";
}

LookAsideEngine::LookAsideEngine(CardOptions options, OpenPort open_port)
    : options_(std::move(options)), open_port_(std::move(open_port)), clock_(options_.clock) {
  if (clock_.now_ns == nullptr) clock_ = system_clock();
}

LookAsideEngine::~LookAsideEngine() {
  end_recovery();
  stop();
}

Patience LookAsideEngine::patience() const noexcept {
  if (options_.progress_timeout_ms != 0) return {clock_, std::uint64_t{options_.progress_timeout_ms} * 1'000'000};
  return opening_patience();
}

// A sweep of every table takes its time, whatever the packets were promised.
Patience LookAsideEngine::opening_patience() const noexcept {
  return {clock_, facts_.progress_limit_ns()};
}

void LookAsideEngine::note_failure(const Error& error) {
  failure_ = error.message;
}

CardState LookAsideEngine::state() const noexcept {
  const CardState state = state_.load(std::memory_order_acquire);
  const Loss* const loss = loss_.load(std::memory_order_acquire);
  return state == CardState::ready && loss != nullptr && loss->lost() ? CardState::lost : state;
}

// A port, and a card behind it that was reset: what an earlier session left is of no one any more.
Result<void> LookAsideEngine::connect() {
  if (!port_) {
    auto port = open_port_(options_);
    if (!port) return port.error();
    port_ = std::move(*port);
  }
  auto facts = read_facts(*port_, options_.mode);
  if (!facts) return facts.error();
  if ((facts->features & abi::feature::inline_ports) != 0)
    return Error{
        "card: its bitstream works between the card's own ports (bump-in-the-wire), found: wiring bump-in-the-wire; "
        "allowed: look-aside (driver/card/inline drives the other)"};
  if (facts_.sa_count != 0 && (facts->mode != facts_.mode || facts->sa_count != facts_.sa_count))
    return Error{fmt::format("card: it came back as mode {} with room for {} SAs, before: mode {}, {} SAs; start again",
                             name(facts->mode), facts->sa_count, name(facts_.mode), facts_.sa_count)};
  facts_ = *facts;
  if (auto swept = reset_card(*port_, opening_patience()); !swept) return swept;
  quarantine_.clear();
  return {};
}

Result<void> LookAsideEngine::probe() {
  if (auto good = check_options(options_); !good) return good;
  if (auto connected = connect(); !connected) return connected;
  capabilities_ = card_capabilities(facts_.mode, facts_.sa_count);
  if (facts_.emulated()) capabilities_.provider += " (emulated card)";
  capabilities_.max_sas = facts_.sa_count - own_slots;
  capabilities_.max_queues = queues_largest;
  capabilities_.max_burst = abi::batch_jobs;
  capabilities_.max_segments = 1;
  capabilities_.immediate = false;
  capabilities_.window_restore = true;
  return {};
}

Result<void> LookAsideEngine::open(const EngineSetup& setup) {
  if (running_) return Error{"engine card: open already; close it first"};
  if (setup.slots.empty() || setup.slots.size() > capabilities_.max_sas)
    return Error{fmt::format("slots: asked {}, allowed 1 to {}", setup.slots.size(), capabilities_.max_sas)};
  if (setup.queues == 0 || setup.queues > capabilities_.max_queues)
    return Error{fmt::format("queues: asked {}, allowed 1 to {}", setup.queues, capabilities_.max_queues)};
  state_.store(CardState::opening, std::memory_order_release);
  last_setup_ = setup;
  auto started = connect();
  if (started) started = start(setup);
  if (!started) {
    note_failure(started.error());
    ++losses_seen_;
    stop();
    port_.reset();
    state_.store(CardState::lost, std::memory_order_release);
    return started;
  }
  failure_.clear();
  ++sessions_;
  state_.store(CardState::ready, std::memory_order_release);
  return {};
}

// 1. Slots, queues, rings, slabs: all new.
// 2. The card, under a new epoch.
// 3. The threads.
Result<void> LookAsideEngine::start(const EngineSetup& setup) {
  // 1.
  running_ = std::make_unique<Running>();
  Running& run = *running_;
  run.loss = std::make_shared<Loss>();
  run.host_slots = static_cast<std::uint32_t>(setup.slots.size());
  for (std::uint32_t i = 0; i < setup.queues + 1; ++i)
    run.queues.push_back(std::make_unique<Queue>(options_.queue_jobs));
  run.flags = std::make_unique<EventFlags>(setup.slots);
  run.own_flags = std::make_unique<EventFlags>(run.own);
  const std::uint32_t epoch = random_epoch(options_.epoch, clock_);
  run.table =
      std::make_unique<SaTable>(capabilities_, setup, run.own, facts_.sa_count, random_epoch(options_.epoch, clock_));
  auto commands = CommandRing::make(port_, epoch, patience(), run.loss, run.table->keep_alive());
  if (!commands) return commands.error();
  run.commands = std::move(*commands);
  for (const abi::Direction direction : {abi::Direction::egress, abi::Direction::ingress}) {
    LaneSetup lane_setup;
    lane_setup.port = port_;
    lane_setup.commands = run.commands;
    lane_setup.loss = run.loss;
    lane_setup.epoch = epoch;
    lane_setup.view = run.table->view();
    lane_setup.queues = run.queues;
    lane_setup.flags = run.flags.get();
    lane_setup.own_flags = run.own_flags.get();
    lane_setup.patience = patience();
    lane_setup.slab_bytes = options_.slab_bytes;
    lane_setup.slabs = options_.slabs;
    auto lane = Lane::make(direction, std::move(lane_setup));
    if (!lane) return lane.error();
    run.lanes[static_cast<std::size_t>(direction)] = std::move(*lane);
  }
  run.table->connect(run.commands, run.lanes);
  // 2.
  if (auto enabled = enable_card(*port_, epoch, *run.commands, run.lanes, opening_patience()); !enabled) return enabled;
  // 3.
  losses_.push_back(run.loss);
  loss_.store(run.loss.get(), std::memory_order_release);
  for (const auto& lane : run.lanes) lane->start();
  run.watchdog = std::make_unique<Watchdog>(run.lanes, run.loss, patience());
  return {};
}

// 1. A self-test's packet comes back. The threads end: the watchdog first, for it may start one. Behind a loss the
// lanes give back what they hold.
// 2. A card that answers keeps no key: it is halted and swept. One that does not keeps its slabs until it does.
// 3. The slots are free.
void LookAsideEngine::stop() {
  if (!running_) return;
  Running& run = *running_;
  // 1.
  run.test.reset();
  run.watchdog.reset();
  for (const auto& lane : run.lanes)
    if (lane) lane->stop();
  // 2.
  bool clean = port_ != nullptr && !run.loss->lost();
  if (clean) {
    if (auto swept = reset_card(*port_, opening_patience()); !swept) {
      run.loss->report(swept.error().message);
      clean = false;
    }
  }
  for (const auto& lane : run.lanes)
    if (lane) lost_jobs_ += lane->counts().lost_jobs;
  if (!clean) quarantine_.push_back({port_, run.commands, run.lanes});
  // 3.
  loss_.store(nullptr, std::memory_order_release);
  if (run.loss->lost()) {
    failure_ = run.loss->reason();
    if (port_) port_->release();
    port_.reset();
    ++losses_seen_;
  }
  run.table.reset();
  running_.reset();
  events_.clear();
}

void LookAsideEngine::close() {
  end_recovery();
  stop();
  state_.store(CardState::closed, std::memory_order_release);
}

Result<void> LookAsideEngine::reset() {
  stop();
  port_.reset();
  state_.store(CardState::opening, std::memory_order_release);
  if (auto connected = connect(); !connected) {
    note_failure(connected.error());
    port_.reset();
    state_.store(CardState::lost, std::memory_order_release);
    return connected;
  }
  failure_.clear();
  state_.store(CardState::closed, std::memory_order_release);
  return {};
}

Result<void> LookAsideEngine::reset_and_reopen() {
  if (!last_setup_) return Error{"engine card: was never open"};
  if (auto done = reset(); !done) return done;
  return open(*last_setup_);
}

void LookAsideEngine::start_recovery() {
  end_recovery();
  // Nobody may take the state for the old session's.
  state_.store(CardState::opening, std::memory_order_release);
  recovery_ = std::thread([this] {
    if (auto back = reset_and_reopen(); !back) {
      note_failure(back.error());
      state_.store(CardState::lost, std::memory_order_release);
    }
  });
}

void LookAsideEngine::end_recovery() {
  if (recovery_.joinable()) recovery_.join();
}

Result<void> LookAsideEngine::live(const char* what) const {
  if (!running_) return Error{fmt::format("engine card: {} while {}", what, name(state()))};
  if (running_->loss->lost()) return Error{fmt::format("engine card: lost: {}", running_->loss->reason())};
  return {};
}

Result<void> LookAsideEngine::install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) {
  const ClearsVectorRegisters of_keys;
  if (auto good = live("install"); !good) return good;
  if (id.index >= running_->host_slots)
    return Error{fmt::format("SA index {}, allowed: 0 to {}", id.index, running_->host_slots - 1)};
  return running_->table->install(id, sa, lease, window_top);
}

Result<void> LookAsideEngine::update(SaId id, const SaUpdate& update) {
  const ClearsVectorRegisters of_keys;  // some updates install the SA at another place
  if (auto good = live("update"); !good) return good;
  return running_->table->update(id, update);
}

// Behind a loss as well: the slot becomes free.
Result<void> LookAsideEngine::remove(SaId id) {
  if (!running_) return Error{fmt::format("engine card: remove while {}", name(state()))};
  // Events of other SAs keep their ids; those of this one must not be taken for its successor's.
  collect_events();
  if (auto removed = running_->table->remove(id); !removed) return removed;
  collect_events();
  std::erase_if(events_, [id](const Event& event) { return event.sa == id; });
  return {};
}

Result<SaState> LookAsideEngine::read(SaId id) const {
  if (!running_) return Error{fmt::format("engine card: read while {}", name(state()))};
  return running_->table->read(id);
}

Result<SaState> LookAsideEngine::read_back(SaId id) {
  if (auto good = live("read back"); !good) return good.error();
  return running_->table->read_back(id);
}

// 1. A lost card: each job is done at once.
// 2. Into the ring of its direction, as far as there is room; the rest of the call in order.
// 3. A thread that sleeps is woken: once a burst.
std::uint32_t LookAsideEngine::submit(QueueId id, std::span<Job* const> jobs) {
  const auto index = static_cast<std::size_t>(id);
  if (!running_ || index + 1 > running_->queues.size()) return 0;  // closed, or no such queue
  // 1.
  if (running_->loss->lost()) {
    for (Job* job : jobs) {
      job->verdict_stage = 0;
      job->verdict = Verdict::engine_lost;
    }
    return static_cast<std::uint32_t>(jobs.size());
  }
  // 2.
  Queue& queue = *running_->queues[index];
  bool came[abi::directions] = {};
  std::uint32_t accepted = 0;
  for (Job* job : jobs) {
    const Operation operation = job->stages[0].operation;
    if (operation == Operation::none) {
      job->verdict_stage = 0;
      job->verdict = Verdict::wrong_operation;
      ++accepted;
      continue;
    }
    const std::size_t d = is_egress(operation) ? 0 : 1;
    QueueLane& lane = queue.lane[d];
    if (lane.inside == queue.capacity_of_lane) break;
    job->verdict = Verdict::pending;
    (void)lane.to_card.push(job);
    ++lane.inside;
    ++accepted;
    came[d] = true;
  }
  // 3.
  for (std::size_t d = 0; d < abi::directions; ++d)
    if (came[d]) running_->lanes[d]->work_came();
  return accepted;
}

std::uint32_t LookAsideEngine::poll(QueueId id, std::span<Job*> done) {
  const auto index = static_cast<std::size_t>(id);
  if (!running_ || index + 1 > running_->queues.size()) return 0;
  std::uint32_t count = 0;
  for (QueueLane& lane : running_->queues[index]->lane) {
    while (count < done.size()) {
      const Done* const front = lane.done.front();
      if (front == nullptr) break;
      front->job->verdict = front->verdict;
      done[count++] = front->job;
      lane.done.pop();
      --lane.inside;
    }
  }
  return count;
}

void LookAsideEngine::collect_events() {
  if (!running_) return;
  for (const auto& lane : running_->lanes) {
    std::uint32_t index = 0;
    std::uint8_t kinds = 0;
    while (lane->events().take(index, kinds)) {
      const SaId id{index, running_->flags->slots()[index].generation.load(std::memory_order_relaxed)};
      if (!id.valid()) continue;  // removed meanwhile
      for (const EventKind kind : all_kinds)
        if ((kinds & EventFlags::bit(kind)) != 0) events_.push_back({id, kind});
    }
  }
}

// Each millisecond or so: also where commands that wait go out and responses come in, and a card that is gone is seen
// while no packet flows.
std::uint32_t LookAsideEngine::events(std::span<Event> out) {
  if (!running_) return 0;
  if (!running_->loss->lost()) running_->commands->service();
  collect_events();
  const std::size_t count = std::min(out.size(), events_.size());
  std::copy_n(events_.begin(), count, out.begin());
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<std::uint32_t>(count);
}

CardSnapshot LookAsideEngine::snapshot() const {
  CardSnapshot out;
  out.state = state();
  out.reason = running_ && running_->loss->lost() ? running_->loss->reason() : failure_;
  if (port_) {
    const PortIdentity& identity = port_->identity();
    out.name = identity.name;
    out.bdf = identity.bdf;
    out.xclbin_uuid = identity.xclbin_uuid;
    out.note = identity.note;
    if (out.state == CardState::ready || out.state == CardState::closed) {
      out.heartbeat = port_->read_register(abi::reg::heartbeat);
      out.card_events_dropped = port_->read_register(abi::reg::events_dropped);
    }
  }
  out.abi_version = facts_.abi_version;
  out.mode = facts_.mode;
  out.features = facts_.features;
  out.sa_count = facts_.sa_count;
  out.emulated = facts_.emulated();
  out.sessions = sessions_;
  out.losses = losses_seen_ + (running_ && running_->loss->lost() ? 1 : 0);
  out.lost_jobs = lost_jobs_;
  for (const Quarantined& left : quarantine_)
    for (const auto& lane : left.lanes)
      if (lane) out.quarantined_bytes += lane->slab_memory();
  if (!running_ || !running_->commands) return out;
  out.installs = running_->table->installs();
  out.commands = running_->commands->commands();
  out.doorbells = running_->commands->doorbells();
  out.card_events = running_->commands->card_events();
  for (std::size_t d = 0; d < abi::directions; ++d) {
    if (!running_->lanes[d]) continue;
    const Lane::Counts counts = running_->lanes[d]->counts();
    out.direction[d] = {counts.batches, counts.jobs, counts.bytes, counts.in_flight};
    out.lost_jobs += counts.lost_jobs;
  }
  return out;
}

CardHealth LookAsideEngine::health() {
  if (!port_) return {};
  CardHealth health = port_->health();
  health.reachable = port_->read_register(abi::reg::magic) == abi::magic;
  return health;
}

Result<std::unique_ptr<CardEngine>> make_look_aside_engine(const CardOptions& options, OpenPort open_port) {
  auto engine = std::make_unique<LookAsideEngine>(options, std::move(open_port));
  if (auto probed = engine->probe(); !probed) return probed.error();
  return std::unique_ptr<CardEngine>(std::move(engine));
}

}  // namespace linecrypt::card
