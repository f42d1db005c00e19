#include "host/engines/failover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "host/engines/failover_engine.hpp"
#include "host/values/clock.hpp"
#include "host/values/sa_start.hpp"

namespace linecrypt::engines {
namespace {

SaProtocol protocol_of(const Sa& sa) {
  return std::holds_alternative<EspSa>(sa) ? SaProtocol::esp : SaProtocol::macsec;
}

// The secondary takes every SA, so what it can do is what the pair can do.
Capabilities capabilities_of(const Engine& primary, const Engine* secondary) {
  const Capabilities& first = primary.capabilities();
  Capabilities can = secondary == nullptr ? first : secondary->capabilities();
  can.immediate = can.window_restore = false;
  if (secondary == nullptr) return can;
  can.engine = fmt::format("{} + {}", first.engine, can.engine);
  if (first.provider != can.provider) can.provider = fmt::format("{}; {}", first.provider, can.provider);
  can.max_queues = std::min(can.max_queues, first.max_queues);
  can.max_burst = std::min(can.max_burst, first.max_burst);
  return can;
}

Error not_installed(SaId id) {
  return Error{fmt::format("SA {} of generation {} is not installed", id.index, id.generation)};
}

}  // namespace

const char* name(PrimaryUse use) noexcept {
  constexpr const char* names[] = {"used", "lost", "recovering", "resting"};
  return names[static_cast<std::size_t>(use)];
}

Failover::Failover(std::unique_ptr<Engine> primary, EngineHealth& health, std::unique_ptr<Engine> secondary,
                   const FailoverOptions& options)
    : primary_(std::move(primary)),
      secondary_(std::move(secondary)),
      health_(health),
      options_(options),
      capabilities_(capabilities_of(*primary_, secondary_.get())),
      keys_(sizeof(Sa), alignof(Sa)) {}

Failover::~Failover() {
  close();
}

MemoryPlace Failover::memory() const noexcept {
  return primary_->memory();
}

// A primary that gives a wrong answer is not used (DESIGN 3.8); a secondary must give right ones.
Result<void> Failover::self_test() {
  if (auto passed = test_secondary(); !passed) return passed;
  if (open_ && use_ == PrimaryUse::recovering) return {};
  auto passed = judge_test(primary_->self_test());
  return secondary_ == nullptr ? passed : Result<void>();
}

Result<void> Failover::test_secondary() {
  return secondary_ == nullptr ? Result<void>() : secondary_->self_test();
}

Result<void> Failover::begin_primary_test() {
  if (!open_) return Error{"failover engine: closed"};
  if (testing_) return Error{fmt::format("a self-test of the {} goes on already", primary_name())};
  if (use_ == PrimaryUse::recovering)
    return Error{fmt::format("the {} is being recovered, which tests it", primary_name())};
  testing_ = true;
  test_outcome_.reset();
  return {};
}

std::optional<Result<void>> Failover::primary_test() {
  return std::exchange(test_outcome_, std::nullopt);
}

void Failover::step_test() {
  if (!testing_) return;
  auto ended = health_.self_test_step();
  if (!ended) return;
  testing_ = false;
  test_outcome_ = judge_test(std::move(*ended));
}

Result<void> Failover::judge_test(Result<void> passed) {
  failed_test_ = passed ? std::string() : "self-test failed: " + passed.error().message;
  if (!passed && secondary_ != nullptr && open_ && use_ != PrimaryUse::lost) lose_primary(failed_test_);
  return passed;
}

// 1. One that is away already is asked again without waiting, whatever its last test said: it is tested when it is
// back.
// 2. One that is here is left first.
Result<void> Failover::renew_primary() {
  if (!open_) return Error{"failover engine: closed"};
  if (use_ == PrimaryUse::recovering) return Error{fmt::format("the {} is being recovered already", primary_name())};
  failed_test_.clear();
  ++renewals_;
  // 1.
  if (use_ == PrimaryUse::lost) {
    try_pause_ns_ = options_.recover_every_ns;
    try_next_ns_ = now();
    return {};
  }
  // 2.
  lose_primary("its reset was asked for", Away::asked);
  return {};
}

// The secondary must open. A primary that does not is lost from the start, and asked again later.
Result<void> Failover::open(const EngineSetup& setup) {
  if (open_) return Error{"failover engine: open already; close it first"};
  if (setup.slots.empty() || setup.slots.size() > capabilities_.max_sas)
    return Error{fmt::format("slots: asked {}, allowed 1 to {}", setup.slots.size(), capabilities_.max_sas)};
  if (setup.queues == 0 || setup.queues > capabilities_.max_queues)
    return Error{fmt::format("queues: asked {}, allowed 1 to {}", setup.queues, capabilities_.max_queues)};
  // 1. Slots of their own for both: each takes its array for itself, and only one of them has an SA.
  setup_ = setup;
  if (setup_.clock.now_ns == nullptr) setup_.clock = system_clock();
  const std::size_t count = setup.slots.size();
  primary_count_ = static_cast<std::uint32_t>(std::min<std::size_t>(count, primary_->capabilities().max_sas));
  primary_slots_ = std::make_unique<SaSlot[]>(primary_count_);
  EngineSetup inner = setup_;
  if (secondary_ != nullptr) {
    secondary_slots_ = std::make_unique<SaSlot[]>(count);
    inner.slots = {secondary_slots_.get(), count};
    if (auto opened = secondary_->open(inner); !opened) return opened;
  }
  inner.slots = {primary_slots_.get(), primary_count_};
  auto opened = failed_test_.empty() ? primary_->open(inner) : Result<void>(Error{failed_test_});
  if (!opened && secondary_ == nullptr) return opened;
  // 2. The caller's slots show what becomes of its SAs.
  for (SaSlot& slot : setup_.slots) {
    slot.generation.store(0, std::memory_order_release);
    slot.protocol = SaProtocol::none;
    slot.context = nullptr;
    slot.mailbox.clear();
    slot.window.attach(nullptr, 0);
  }
  members_ = std::vector<Member>(count);
  routes_ = std::make_unique<Routes>(count);
  for (std::uint32_t i = 0; i < setup.queues; ++i)
    queues_.push_back(std::make_unique<FailoverQueue>(FailoverQueue::Setup{
        primary_.get(), secondary_.get(), static_cast<QueueId>(i), routes_.get(), setup_.clock, options_}));
  open_ = true;
  use_ = PrimaryUse::used;
  if (!opened) lose_primary(opened.error().message);
  return {};
}

void Failover::close() {
  if (test_.joinable()) test_.join();
  if (!open_) return;
  for (Member& member : members_) {
    if (member.sa == nullptr) continue;
    setup_.slots[member.id.index].generation.store(0, std::memory_order_release);
    forget(member);
  }
  primary_->close();
  if (secondary_ != nullptr) secondary_->close();
  queues_.clear();
  routes_.reset();
  members_.clear();
  moving_.clear();
  pending_.clear();
  primary_slots_.reset();
  secondary_slots_.reset();
  open_ = testing_ = false;
}

// ---- the Engine's control calls ----

Member* Failover::find(SaId id) noexcept {
  return const_cast<Member*>(std::as_const(*this).find(id));
}
const Member* Failover::find(SaId id) const noexcept {
  if (id.index >= members_.size() || !id.valid()) return nullptr;
  const Member& member = members_[id.index];
  return member.sa != nullptr && member.id == id ? &member : nullptr;
}

// 1. A free slot. 2. Our copy, and its place. 3. The caller's slot; published last.
Result<void> Failover::install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) {
  // 1.
  if (!open_) return Error{"failover engine: closed"};
  if (id.index >= members_.size())
    return Error{fmt::format("SA index {}, allowed: 0 to {}", id.index, members_.size() - 1)};
  if (!id.valid()) return Error{fmt::format("SA {}: generation 0, allowed: 1 and above", id.index)};
  Member& member = members_[id.index];
  if (member.sa != nullptr)
    return Error{
        fmt::format("SA slot {} is in use by generation {}; remove that first", id.index, member.id.generation)};
  // 2.
  auto block = keys_.allocate();
  if (!block) return block.error();
  member.id = id;
  member.sa = std::construct_at(static_cast<Sa*>(*block), duplicate(sa));
  member.direction = direction_of(sa);
  if (auto* macsec = std::get_if<MacsecSa>(member.sa); macsec != nullptr && window_top != 0)
    macsec->lowest_pn = std::max(macsec->lowest_pn, window_top + 1);
  member.sent_next = lease.begin;
  member.window.start(window_top);
  SaSlot& slot = setup_.slots[id.index];
  std::construct_at(&slot.counters);
  slot.window.reset_fully_marked(member.direction == Direction::ingress ? window_top : 0);
  slot.next_number.store(lease.begin, std::memory_order_relaxed);
  slot.lease_end.store(lease.end, std::memory_order_relaxed);
  slot.expired.store(false, std::memory_order_relaxed);
  if (auto placed = place_first(member, lease, window_top); !placed) {
    forget(member);
    return placed;
  }
  // 3.
  slot.protocol = protocol_of(sa);
  slot.direction = member.direction;
  slot.generation.store(id.generation, std::memory_order_release);
  return {};
}

// 1. From now on it is stale here. 2. Its last state, and its engine lets go; what a lost one still holds goes with its
// reset. 3. Nobody left: cleanse.
Result<void> Failover::remove(SaId id) {
  Member* const member = find(id);
  if (member == nullptr) return not_installed(id);
  // 1.
  const Route before = routes_->route[id.index].exchange(Route::none, std::memory_order_acq_rel);
  SaSlot& slot = setup_.slots[id.index];
  slot.generation.store(0, std::memory_order_release);
  // 2.
  wait_for_workers();
  show(*member);
  if (Engine* const engine = usable_at(*member); engine != nullptr) {
    if (auto removed = engine->remove(id); !removed && health_allows(engine)) {
      slot.generation.store(id.generation, std::memory_order_release);
      routes_->route[id.index].store(before, std::memory_order_release);
      return removed;
    }
  }
  // 3.
  std::erase_if(pending_, [id](const Event& event) { return event.sa == id; });
  std::erase(moving_, id.index);
  routes_->punted[id.index].store(false, std::memory_order_relaxed);
  slot.protocol = SaProtocol::none;
  forget(*member);
  return {};
}

Result<void> Failover::update(SaId id, const SaUpdate& update) {
  Member* const member = find(id);
  if (member == nullptr) return not_installed(id);
  if (const auto* grant = std::get_if<GrantLease>(&update)) return take_lease(*member, grant->lease);
  if (std::holds_alternative<RestoreWindow>(update))
    return Error{"RestoreWindow: the failover engine moves windows itself"};
  // 1. The engine that has it. A lost one need not know.
  if (Engine* const engine = usable_at(*member); engine != nullptr) {
    auto updated = engine->update(id, update);
    if (!updated && health_allows(engine)) return updated;
  }
  // 2. What the next engine must know.
  if (std::holds_alternative<Expire>(update)) {
    member->expired = true;
    setup_.slots[id.index].expired.store(true, std::memory_order_relaxed);
    return {};
  }
  return remember(*member, update);
}

// A lease that the primary was shown is spent, whatever it answers: a card that dies of the call may have taken it.
//
// 1. Numbers go up only. 2. It is for the engine that the SA goes to. 3. Or for the one that has it, once that has
// taken the one before. 4. A primary that refuses a lease is no place for this SA, whether it is about to be lost or
// not.
Result<void> Failover::take_lease(Member& member, Lease lease) {
  // 1.
  if (member.direction != Direction::egress) return Error{"GrantLease: allowed on egress SAs only"};
  if (lease.begin >= lease.end || lease.begin == 0)
    return Error{fmt::format("lease: {} to {}, allowed: numbers from 1, one at least", lease.begin, lease.end)};
  if (lease.begin < member.spent_end)
    return Error{
        fmt::format("lease: begins at {}, allowed: from {}, where the last one ended", lease.begin, member.spent_end)};
  // 2.
  if (wants_lease(member)) {
    member.lease = lease;
    return {};
  }
  if (member.lease || member.phase == Phase::draining)
    return Error{"lease: the SA is on its way to another engine; grant it again later"};
  Engine* const engine = usable_at(member);
  if (engine == nullptr) return Error{"lease: no engine has the SA now; grant it again later"};
  // 3.
  if (!member.starving && slot_at(member)->lease_end.load(std::memory_order_relaxed) < member.spent_end)
    return Error{"lease: the one before is not taken yet; grant it again later"};
  auto granted = engine->update(member.id, GrantLease{lease});
  if (granted) {
    member.spent_end = lease.end;
    member.starving = false;
    return {};
  }
  if (engine == secondary_.get()) return granted;
  // 4.
  skipped_ += lease.size();
  member.spent_end = lease.end;
  if (secondary_ == nullptr) return {};
  start_move(member, Place::secondary);
  if (health_allows(engine))
    pin(member, fmt::format("the {} refused a lease: {}", primary_name(), granted.error().message));
  return {};
}

Result<SaState> Failover::read(SaId id) const {
  const Member* const member = find(id);
  if (member == nullptr) return not_installed(id);
  show(*member);
  const SaSlot& slot = setup_.slots[id.index];
  const bool egress = member->direction == Direction::egress;
  SaState state;
  state.next_number = egress ? slot.next_number.load(std::memory_order_relaxed) : 0;
  state.lease_end = egress ? slot.lease_end.load(std::memory_order_relaxed) : 0;
  state.window_top = egress ? 0 : slot.window.top();
  state.expired = slot.expired.load(std::memory_order_relaxed);
  state.lease_wanted = wants_lease(*member) || member->starving;
  return state;
}

// ---- the workers' calls ----

std::uint32_t Failover::submit(QueueId queue, std::span<Job* const> jobs) {
  const auto index = static_cast<std::size_t>(queue);
  return index < queues_.size() ? queues_[index]->submit(jobs) : 0;
}
std::uint32_t Failover::poll(QueueId queue, std::span<Job*> done) {
  const auto index = static_cast<std::size_t>(queue);
  return index < queues_.size() ? queues_[index]->poll(done) : 0;
}

std::uint32_t Failover::events(std::span<Event> out) {
  if (!open_) return 0;
  turn();
  const std::size_t count = std::min(out.size(), pending_.size());
  std::copy_n(pending_.begin(), count, out.begin());
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<std::uint32_t>(count);
}

// ---- for status ----

FailoverStatus Failover::status() const {
  FailoverStatus status;
  status.primary = primary_name();
  status.secondary = secondary_name();
  status.use = use_;
  status.reason = reason_;
  for (const Member& member : members_) {
    if (member.sa == nullptr) continue;
    if (member.phase != Phase::settled) ++status.sas_moving;
    if (member.place == Place::primary) ++status.sas_primary;
    if (member.place == Place::secondary) ++status.sas_secondary;
    if (member.place == Place::nowhere) ++status.sas_nowhere;
    if (member.pinned) ++status.sas_pinned;
  }
  status.failovers = failovers_;
  status.renewals = renewals_;
  status.returns = returns_;
  status.moves = moves_;
  status.numbers_skipped = skipped_;
  status.last_failover_ns = last_failover_ns_;
  status.longest_failover_ns = longest_failover_ns_;
  status.away_ns = away_ns_ + (open_ && use_ != PrimaryUse::used ? now() - lost_ns_ : 0);
  for (const auto& queue : queues_) {
    const QueueCounters& counters = queue->counters();
    status.jobs_redone += counters.redone.get();
    status.jobs_lost += counters.returned_lost.get();
    status.jobs_busy += counters.returned_busy.get();
    status.jobs_punted += counters.punted.get();
    status.jobs_refused += counters.refused.get();
    status.jobs_split += counters.split.get();
  }
  return status;
}

Result<SaPlacement> Failover::placement(SaId id) const {
  const Member* const member = find(id);
  if (member == nullptr) return not_installed(id);
  SaPlacement placement;
  placement.moving = member->phase != Phase::settled;
  placement.engine = "none";
  if (member->place == Place::primary) placement.engine = primary_name();
  if (member->place == Place::secondary) placement.engine = secondary_name();
  if (member->place == Place::primary && !placement.moving) return placement;
  placement.reason = member->pinned ? member->reason : reason_;
  if (placement.reason.empty()) placement.reason = fmt::format("on its way to the {}", primary_name());
  return placement;
}

std::vector<std::string> Failover::take_messages() {
  return std::exchange(messages_, {});
}

std::unique_ptr<FailoverEngine> make_failover_engine(std::unique_ptr<Engine> primary, EngineHealth& health,
                                                     std::unique_ptr<Engine> secondary,
                                                     const FailoverOptions& options) {
  return std::make_unique<Failover>(std::move(primary), health, std::move(secondary), options);
}

}  // namespace linecrypt::engines
