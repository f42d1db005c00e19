#include "host/control/sa_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "host/control/leaving_sas.hpp"
#include "host/control/live_sa.hpp"
#include "host/values/clock.hpp"

namespace linecrypt::control {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
// Marks are due at least once a second, and service() may come 10 ms late.
constexpr std::uint64_t sweep_ns = 950'000'000;
// A sweep of all slots ends within so many calls of service(), well before the next one is due.
constexpr std::size_t sweep_shares = 64;
constexpr std::size_t sweep_share_smallest = 8192;

// A step of an add() that is done; undone at the end of the scope unless kept.
template <typename Step>
class Undo {
 public:
  explicit Undo(Step step) : step_(std::move(step)) {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    if (!kept_) step_();
  }
  void keep() noexcept { kept_ = true; }

 private:
  Step step_;
  bool kept_ = false;
};

// False: an ingress SA without a record and without a lifetime in seconds has nothing to look after.
bool needs_sweep(const LiveSa& sa) noexcept {
  return sa.direction == Direction::egress || sa.life == keys::KeyLife::persistent || sa.soft_seconds != 0 ||
         sa.hard_seconds != 0;
}

}  // namespace

struct SaControl::Impl {
  explicit Impl(const SaControlOptions& from)
      : options(from),
        slots(from.max_sas),
        spis(from.max_sas),
        live(from.max_sas),
        leaving(from.reclamation, slots, marks) {
    if (options.clock.now_ns == nullptr) options.clock = system_clock();
    swept_ns = now();
  }

  [[nodiscard]] std::uint64_t now() const { return options.clock.now_ns(options.clock.self); }
  [[nodiscard]] LiveSa* find(SaId id) const noexcept {
    if (id.index >= live.size() || live[id.index] == nullptr || live[id.index]->id != id) return nullptr;
    return live[id.index].get();
  }

  template <typename AnySa>
  Result<SaId> add(const AnySa& sa, keys::KeyLife life, const std::string& label);
  Result<void> remove(SaId id);

  void take_events();
  void take_event(LiveSa& sa, EventKind kind);
  void sweep();
  void sweep_one(LiveSa& sa, const SaState& state);
  void grant(LiveSa& sa);
  void renew();
  void record_marks();
  void free_removed();
  void want_lease(LiveSa& sa);
  void say(LiveSa& sa, MessageKind kind, const std::string& text);
  void take_registry_messages();

  SaControlOptions options;
  tables::SlotTable slots;
  tables::SpiTable spis;
  std::vector<std::unique_ptr<LiveSa>> live;  // by slot index
  std::vector<SaId> wanting;                  // those with wants_lease or ungranted
  std::uint64_t swept_ns = 0;
  bool sweeping = false;
  std::size_t sweep_at = 0;  // first slot that the sweep under way has not seen

  std::vector<PendingMark> marks;  // of SAs that left, and in sweep() those that moved
  LeavingSas leaving;
  std::string marks_problem;
  MessageTimes times;
  std::vector<std::string> messages;
};

void SaControl::Impl::say(LiveSa& sa, MessageKind kind, const std::string& text) {
  std::uint64_t held_back = 0;
  if (sa.times == nullptr) sa.times = std::make_unique<MessageTimes>();
  if (!sa.times->may_say(kind, now(), held_back)) return;
  std::string message = fmt::format("{}: {}", sa.label, text);
  if (held_back != 0) message += fmt::format(" ({} more of these since the last message)", held_back);
  messages.push_back(std::move(message));
}

void SaControl::Impl::take_registry_messages() {
  for (std::string& message : options.registry->take_messages()) messages.push_back(std::move(message));
}

// 1. What the standards and the engine allow. 2. The claim on the key. 3. Where its numbers begin: a lease, or the
// journaled mark. 4. A slot. 5. The engine. 6. Lookup (RFC 4303 3.4.2): only now packets reach it. 7. Listed.
template <typename AnySa>
Result<SaId> SaControl::Impl::add(const AnySa& sa, keys::KeyLife life, const std::string& label) {
  Engine& engine = *options.engine;
  keys::KeyRegistry& registry = *options.registry;
  // 1.
  if (auto allowed = check(engine.capabilities(), sa); !allowed) return allowed.error();
  // 2. An SA removed just before may hold it still.
  free_removed();
  if (!leaving.none_leaving() && leaving.let_go_of(registry.egress_space(sa))) free_removed();
  auto claim = registry.claim(sa, life, label);
  take_registry_messages();
  if (!claim) return claim.error();
  const NumberSpaceId space = (*claim)->space();
  auto one = std::make_unique<LiveSa>(describe(sa, label));
  // 3.
  Lease lease;
  std::uint64_t window_top = 0;
  if (sa.direction == Direction::egress) {
    const LeaseRequest request{space, one->sizer.first()};
    auto lent = std::move(registry.acquire({&request, 1}).front());
    if (!lent) return lent.error();
    lease = *lent;
  } else if (life == keys::KeyLife::persistent) {
    const auto state = registry.state(space);
    if (!state) return state.error();
    window_top = state->ingress_mark;
  }
  // 4.
  const auto id = slots.allocate();
  if (!id) return id.error();
  Undo slot([this, id = *id] { slots.release(id); });
  // 5.
  if (auto installed = engine.install(*id, Sa(sa.duplicate()), lease, window_top); !installed) return installed.error();
  Undo install([&engine, id = *id] { static_cast<void>(engine.remove(id).ok()); });
  // 6.
  if constexpr (std::is_same_v<AnySa, EspSa>) {
    if (sa.direction == Direction::ingress) {
      if (auto inserted = spis.insert(sa.spi, *id); !inserted) return inserted.error();
    }
  }
  install.keep();
  slot.keep();
  // 7.
  one->id = *id;
  one->life = life;
  one->claim = std::move(*claim);
  one->born_ns = now();
  one->lease_size = lease.size();
  one->granted_end = lease.end;
  one->recorded_mark = window_top;
  one->sizer.start(lease.begin, one->born_ns);
  live[id->index] = std::move(one);
  return *id;
}

// 1. No packet finds it any more. 2. Its last numbers. 3. The engine lets go and cleanses. 4. The slot; the claim stays
// until the numbers are recorded.
Result<void> SaControl::Impl::remove(SaId id) {
  LiveSa* const sa = find(id);
  if (sa == nullptr) return Error{fmt::format("SA {} of generation {} does not exist", id.index, id.generation)};
  // 1.
  const bool looked_up = !sa->sci && sa->direction == Direction::ingress;
  if (looked_up) spis.remove(sa->spi);
  // 2. Workers may still accept a packet until the engine has retired it; from the slot, not through the engine, it can
  // be read after that.
  const auto before = options.engine->read(id);
  // 3.
  if (auto removed = options.engine->remove(id); !removed) {
    if (looked_up) {
      static_cast<void>(spis.insert(sa->spi, id).ok());
    }
    return removed;
  }
  const SaSlot& slot = slots.slots()[id.index];
  if (sa->direction == Direction::egress) {
    const std::uint64_t next =
        std::max(before ? before->next_number : 0, slot.next_number.load(std::memory_order_relaxed));
    if (next > 1) options.registry->note_sent(sa->claim->space(), next - 1);
  }
  // 4.
  leaving.add({id, std::move(sa->claim), before ? before->window_top : 0, sa->recorded_mark,
               sa->life == keys::KeyLife::persistent, sa->direction});
  std::erase(wanting, id);
  live[id.index].reset();
  return {};
}

// One batch for all. Marks that cannot be recorded are dropped: live SAs bring theirs again at the next sweep; for
// others ingress would start up to a second lower, which costs no nonce.
void SaControl::Impl::record_marks() {
  std::vector<keys::KeyRegistry::IngressMark> batch;
  batch.reserve(marks.size());
  for (const PendingMark& pending : marks) batch.push_back(pending.mark);
  const auto recorded = options.registry->record_ingress(batch);
  take_registry_messages();
  if (recorded) {
    for (const PendingMark& pending : marks) {
      if (LiveSa* const sa = find(pending.id)) sa->recorded_mark = pending.mark.mark;
    }
    marks_problem.clear();
  } else {
    marks_problem = "where numbers stand is not recorded: " + recorded.error().message;
    std::uint64_t held_back = 0;
    if (times.may_say(MessageKind::mark_not_recorded, now(), held_back)) messages.push_back(marks_problem);
  }
  marks.clear();
}

void SaControl::Impl::free_removed() {
  leaving.let_go();
  if (leaving.none_unrecorded()) return;
  if (leaving.need_record() || !marks.empty()) record_marks();
  leaving.free_claims();
}

void SaControl::Impl::want_lease(LiveSa& sa) {
  if (sa.direction != Direction::egress || sa.wants_lease || sa.expired) return;
  sa.wants_lease = true;
  if (std::find(wanting.begin(), wanting.end(), sa.id) == wanting.end()) wanting.push_back(sa.id);
}

void SaControl::Impl::take_event(LiveSa& sa, EventKind kind) {
  switch (kind) {
    case EventKind::lease_low:
    case EventKind::lease_wanted:
      want_lease(sa);
      break;
    case EventKind::lease_exhausted:
      sa.starved = true;
      want_lease(sa);
      say(sa, MessageKind::lease_exhausted, "dropped packets for want of leased numbers; the next lease is asked for");
      break;
    case EventKind::soft_lifetime:
      say(sa, MessageKind::soft_lifetime, "soft lifetime reached (packets or bytes); it needs a new key soon");
      break;
    case EventKind::hard_lifetime:
      sa.expired = true;
      say(sa, MessageKind::hard_lifetime, "hard lifetime reached (packets or bytes); the SA stopped");
      break;
    case EventKind::pn_threshold:
      say(sa, MessageKind::pn_threshold, "packet numbers passed the threshold; it needs a new key soon");
      break;
    case EventKind::number_exhausted:
      sa.expired = true;
      say(sa, MessageKind::number_exhausted, "all numbers of its key are used up; the SA stopped");
      break;
  }
}

void SaControl::Impl::take_events() {
  std::array<Event, 64> events{};
  for (;;) {
    const std::uint32_t count = options.engine->events(events);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (LiveSa* const sa = find(events[i].sa)) take_event(*sa, events[i].kind);
    }
    if (count < events.size()) return;
  }
}

// Seconds (RFC 4301 4.4.2.1), marks, and leases whose event was missed.
void SaControl::Impl::sweep_one(LiveSa& sa, const SaState& state) {
  const std::uint64_t age = (now() - sa.born_ns) / second_ns;
  // 1. Lifetimes in seconds.
  if (sa.hard_seconds != 0 && age >= sa.hard_seconds && !sa.expired) {
    if (auto expired = options.engine->update(sa.id, Expire{}); !expired) {
      sa.problem = "could not be stopped at its hard lifetime: " + expired.error().message;
      say(sa, MessageKind::engine_refused, sa.problem);
      return;
    }
    sa.expired = true;
    say(sa, MessageKind::hard_lifetime, fmt::format("hard lifetime of {} s reached; the SA stopped", sa.hard_seconds));
  } else if (sa.soft_seconds != 0 && age >= sa.soft_seconds && !sa.soft_said) {
    sa.soft_said = true;
    say(sa, MessageKind::soft_lifetime,
        fmt::format("soft lifetime of {} s reached; it needs a new key soon", sa.soft_seconds));
  }
  // 2. Ingress mark.
  if (sa.direction == Direction::ingress) {
    if (sa.life == keys::KeyLife::persistent && state.window_top > sa.recorded_mark) {
      marks.push_back({sa.id, {sa.claim->space(), state.window_top}});
    }
    return;
  }
  // 3. Half used, none waiting.
  const bool waiting = sa.ungranted.has_value() || (sa.granted_end > state.lease_end && !state.lease_wanted);
  const std::uint64_t left = state.lease_end - std::min(state.lease_end, state.next_number);
  if (!waiting && (state.lease_wanted || left <= sa.lease_size / 2)) want_lease(sa);
}

// A share of the slots each time, so that service() stays short with a million of them; marks at the end, in one batch.
void SaControl::Impl::sweep() {
  const std::size_t share = std::max(sweep_share_smallest, live.size() / sweep_shares);
  const std::size_t end = std::min(live.size(), sweep_at + share);
  for (; sweep_at < end; ++sweep_at) {
    LiveSa* const sa = live[sweep_at].get();
    if (sa == nullptr || !needs_sweep(*sa)) continue;
    if (const auto state = options.engine->read(sa->id)) sweep_one(*sa, *state);
  }
  if (sweep_at < live.size()) return;
  sweep_at = 0;
  sweeping = false;
  if (!marks.empty()) record_marks();
}

// Hands a lease to the engine. One that is not taken yet is offered again at the next service().
void SaControl::Impl::grant(LiveSa& sa) {
  if (!sa.ungranted || !options.engine->update(sa.id, GrantLease{*sa.ungranted})) return;
  sa.granted_end = sa.ungranted->end;
  sa.lease_size = sa.ungranted->size();
  sa.ungranted.reset();
}

// 1. Sizes from the measured rate; who has one waiting needs none. 2. All in one batch, one fdatasync. 3. Grants; a
// refused SA runs to the end of its lease and stops there, is asked for again each second, and said.
void SaControl::Impl::renew() {
  // 1.
  std::vector<LeaseRequest> requests;
  std::vector<LiveSa*> askers;
  for (const SaId id : wanting) {
    LiveSa* const sa = find(id);
    if (sa == nullptr) continue;
    grant(*sa);
    if (!sa->wants_lease || sa->ungranted || sa->ask_not_before_ns > now()) continue;
    const auto state = options.engine->read(id);
    if (!state) continue;
    if (sa->granted_end > state->lease_end && !state->lease_wanted) {
      sa->wants_lease = false;
      continue;
    }
    if (state->next_number > 1) options.registry->note_sent(sa->claim->space(), state->next_number - 1);
    requests.push_back(
        {sa->claim->space(), sa->sizer.next(state->next_number, now(), std::exchange(sa->starved, false))});
    askers.push_back(sa);
  }
  // 2.
  if (!requests.empty()) {
    auto leases = options.registry->acquire(requests);
    take_registry_messages();
    // 3.
    for (std::size_t i = 0; i < leases.size(); ++i) {
      LiveSa& sa = *askers[i];
      if (!leases[i]) {
        sa.ask_not_before_ns = now() + second_ns;
        sa.problem = "no lease: " + leases[i].error().message;
        say(sa, MessageKind::lease_refused,
            fmt::format("no lease, the SA stops at number {}: {}", sa.granted_end, leases[i].error().message));
        continue;
      }
      sa.wants_lease = false;
      sa.problem.clear();
      sa.ungranted = *leases[i];
      grant(sa);
    }
  }
  std::erase_if(wanting, [this](SaId id) {
    const LiveSa* const sa = find(id);
    return sa == nullptr || (!sa->wants_lease && !sa->ungranted);
  });
}

SaControl::SaControl() = default;

Result<std::unique_ptr<SaControl>> SaControl::open(const SaControlOptions& options) {
  if (options.engine == nullptr || options.registry == nullptr) {
    return Error{"SaControl: needs an engine and a key registry"};
  }
  const std::uint32_t allowed = options.engine->capabilities().max_sas;
  if (options.max_sas == 0 || options.max_sas > allowed) {
    return Error{fmt::format("max_sas: asked {}, the {} engine allows 1 to {}", options.max_sas,
                             options.engine->capabilities().engine, allowed)};
  }
  std::unique_ptr<SaControl> control(new SaControl);
  auto impl = std::make_unique<Impl>(options);
  const EngineSetup setup{impl->slots.slots(), options.queues, options.reclamation, impl->options.clock};
  if (auto opened = options.engine->open(setup); !opened) return opened.error();
  control->impl_ = std::move(impl);
  control->impl_->take_registry_messages();
  return control;
}

SaControl::~SaControl() {
  if (impl_ == nullptr) return;
  for (std::size_t i = 0; i < impl_->live.size(); ++i) {
    if (impl_->live[i] != nullptr) static_cast<void>(impl_->remove(impl_->live[i]->id).ok());
  }
  impl_->leaving.let_go_of_all();
  impl_->free_removed();
  impl_->options.engine->close();
}

Result<SaId> SaControl::add(const EspSa& sa, keys::KeyLife life, const std::string& label) {
  return impl_->add(sa, life, label);
}
Result<SaId> SaControl::add(const MacsecSa& sa, keys::KeyLife life, const std::string& label) {
  return impl_->add(sa, life, label);
}
Result<void> SaControl::remove(SaId id) {
  return impl_->remove(id);
}

void SaControl::service() {
  impl_->free_removed();
  impl_->take_events();
  if (const std::uint64_t now = impl_->now(); now - impl_->swept_ns >= sweep_ns) {
    impl_->swept_ns = now;
    impl_->sweeping = true;
  }
  if (impl_->sweeping) impl_->sweep();
  if (!impl_->wanting.empty()) impl_->renew();
}

std::vector<std::string> SaControl::take_messages() {
  return std::exchange(impl_->messages, {});
}

std::vector<std::string> SaControl::problems() const {
  std::vector<std::string> result;
  for (const auto& sa : impl_->live) {
    if (sa != nullptr && !sa->problem.empty()) result.push_back(sa->label + ": " + sa->problem);
  }
  if (!impl_->marks_problem.empty()) result.push_back(impl_->marks_problem);
  return result;
}

std::vector<SaListing> SaControl::list() const {
  std::vector<SaListing> result;
  for (const auto& sa : impl_->live) {
    if (sa == nullptr) continue;
    result.push_back(listing(*sa));
    result.back().engine = impl_->options.engine->capabilities().engine;
    result.back().age_seconds = (impl_->now() - sa->born_ns) / second_ns;
    if (const auto state = impl_->options.engine->read(sa->id)) result.back().state = *state;
  }
  return result;
}

const SaSlot* SaControl::slot(SaId id) const noexcept {
  return impl_->find(id) == nullptr ? nullptr : &std::as_const(impl_->slots).slots()[id.index];
}
std::span<const SaSlot> SaControl::slots() const noexcept {
  return std::as_const(impl_->slots).slots();
}
const tables::SpiTable& SaControl::spi_table() const noexcept {
  return impl_->spis;
}
Engine& SaControl::engine() noexcept {
  return *impl_->options.engine;
}

}  // namespace linecrypt::control
