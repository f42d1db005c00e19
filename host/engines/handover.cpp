// How SAs move between the two engines of a failover engine. All of it on the control thread.
//
//   graceful   settled -> asking (a lease for the other side) -> draining (held, jobs come out, read, removed) ->
//   settled loss                  draining (held, jobs come out as engine_lost) -> parked (until there is a lease) ->
//   settled
//
// At no time do two engines hold an SA that jobs can reach: its route is `held` from before the first lets go until the
// second has it whole.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "host/engines/failover_engine.hpp"

namespace linecrypt::engines {
namespace {

constexpr std::uint64_t show_every_ns = 100'000'000;
constexpr std::uint64_t retry_install_ns = 1'000'000'000;

constexpr std::uint8_t bit(EventKind kind) noexcept {
  return static_cast<std::uint8_t>(1U << static_cast<std::uint32_t>(kind));
}
// Come once in the life of an SA, whatever engines it sees.
constexpr std::uint8_t once = bit(EventKind::soft_lifetime) | bit(EventKind::hard_lifetime) |
                              bit(EventKind::pn_threshold) | bit(EventKind::number_exhausted);

}  // namespace

std::uint32_t Failover::in_flight(std::uint32_t index) const noexcept {
  std::uint32_t sum = 0;
  for (const auto& queue : queues_) sum += queue->in_flight(index);
  return sum;
}
bool Failover::primary_empty() const noexcept {
  return std::ranges::all_of(queues_, [](const auto& queue) { return queue->in_primary() == 0; });
}

void Failover::want_lease(Member& member) {
  pending_.push_back({member.id, EventKind::lease_wanted});
}

// 1. Is the primary there? 2. What workers saw. 3. A few more go back. 4. Everybody on the way takes a step.
// 5. Events. 6. A step of a self-test. 7. The caller's slots.
void Failover::turn() {
  // 1.
  watch_primary();
  // 2.
  take_punts();
  // 3.
  if (returning_) begin_return();
  // 4.
  hold_ready();
  std::erase_if(moving_, [this](std::uint32_t index) { return step(members_[index]); });
  if (failing_over_ && moving_.empty()) {
    failing_over_ = false;
    last_failover_ns_ = now() - lost_ns_;
    longest_failover_ns_ = std::max(longest_failover_ns_, last_failover_ns_);
  }
  // 5.
  if (use_ == PrimaryUse::used) collect_events(*primary_, Place::primary);
  if (secondary_ != nullptr) collect_events(*secondary_, Place::secondary);
  // 6.
  step_test();
  // 7.
  if (now() - shown_ns_ < show_every_ns) return;
  shown_ns_ = now();
  for (const Member& member : members_)
    if (member.sa != nullptr) show(member);
}

void Failover::watch_primary() {
  const EngineState state = health_.state();
  switch (use_) {
    case PrimaryUse::used:
      if (state != EngineState::ready || routes_->loss_seen.load(std::memory_order_acquire))
        lose_primary(health_.reason());
      return;
    case PrimaryUse::lost: {
      // Nothing of ours may be inside, nor may an SA have to be read from its slots, nor a self-test be half way.
      const bool left = std::ranges::none_of(
          moving_, [this](std::uint32_t index) { return members_[index].place == Place::primary; });
      if (!left || testing_ || !primary_empty() || !failed_test_.empty() || now() < try_next_ns_) return;
      health_.try_recover();
      if (health_.state() == EngineState::lost) return not_recovered(health_.reason());
      use_ = PrimaryUse::recovering;
      return;
    }
    case PrimaryUse::recovering:
      return watch_recovery(state);
    case PrimaryUse::resting:
      if (state != EngineState::ready) return lose_primary(health_.reason());
      if (secondary_ != nullptr && now() - back_ns_ < rest_ns_) return;
      use_ = PrimaryUse::used;
      reason_.clear();
      away_ns_ += now() - lost_ns_;
      ++returns_;
      returning_ = true;
      return_at_ = 0;
      say(fmt::format("the {} is used again after {} s", primary_name(), (now() - lost_ns_) / 1'000'000'000));
      return;
  }
}

// Back, it is tested, and then watched.
void Failover::watch_recovery(EngineState state) {
  if (test_.joinable()) {
    if (!test_done_.load(std::memory_order_acquire)) return;
    test_.join();
    if (test_error_) return not_recovered("self-test failed: " + test_error_->message);
  } else if (state == EngineState::ready && options_.test_after_recovery) {
    test_done_.store(false, std::memory_order_relaxed);
    test_ = std::thread([this] {
      const auto passed = primary_->self_test();
      test_error_ = passed ? std::nullopt : std::optional(passed.error());
      test_done_.store(true, std::memory_order_release);
    });
    return;
  }
  if (state == EngineState::lost) return not_recovered(health_.reason());
  if (state != EngineState::ready) return;
  use_ = PrimaryUse::resting;
  back_ns_ = now();
  routes_->loss_seen.store(false, std::memory_order_relaxed);
  if (secondary_ != nullptr)
    say(fmt::format("the {} is back; SAs return to it in {} s if it stays", primary_name(), rest_ns_ / 1'000'000'000));
}

void Failover::not_recovered(std::string reason) {
  use_ = PrimaryUse::lost;
  reason_ = std::move(reason);
  try_next_ns_ = now() + try_pause_ns_;
  try_pause_ns_ = std::min(try_pause_ns_ * 2, options_.recover_longest_ns);
}

// 1. How long it will be watched when it is back. 2. What it has, leaves it; what was on its way there, stays.
// 3. From here on no worker gives it a job of ours.
void Failover::lose_primary(std::string reason, Away why) {
  const bool was_used = use_ == PrimaryUse::used;
  // 1. A reset that was asked for says nothing against it.
  const bool first = rest_ns_ == 0 || now() - lost_ns_ > options_.forget_ns;
  if (first)
    rest_ns_ = options_.rest_ns;
  else if (why == Away::lost)
    rest_ns_ = std::min(rest_ns_ * 2, options_.rest_longest_ns);
  if (was_used) lost_ns_ = now();
  reason_ = reason.empty() ? "it gave jobs back as engine_lost" : std::move(reason);
  if (why == Away::lost) ++failovers_;
  use_ = PrimaryUse::lost;
  returning_ = false;
  try_pause_ns_ = options_.recover_every_ns;
  try_next_ns_ = now();
  // 2.
  std::uint32_t leaving = 0;
  for (Member& member : members_) {
    if (member.sa == nullptr) continue;
    if (member.place == Place::primary) {
      if (member.phase == Phase::settled) moving_.push_back(member.id.index);
      member.phase = Phase::draining;
      member.source_lost = true;
      member.target = secondary_ == nullptr ? Place::nowhere : Place::secondary;
      member.since_ns = now();
      set_route(member, Route::held);
      ++leaving;
    } else if (member.phase != Phase::settled && member.target == Place::primary) {
      call_off(member);
    }
  }
  std::erase_if(moving_, [this](std::uint32_t index) { return members_[index].phase == Phase::settled; });
  failing_over_ = leaving != 0;
  // 3.
  if (leaving != 0) wait_for_workers();
  const char* const what = why == Away::lost ? "is lost" : "is left";
  say(secondary_ == nullptr
          ? fmt::format("the {} {}: {}; {} SAs stand still until it is back", primary_name(), what, reason_, leaving)
          : fmt::format("the {} {}: {}; {} SAs go on in {}", primary_name(), what, reason_, leaving, secondary_name()));
}

// It stays where it is. A lease that it had got for the way there is used here.
void Failover::call_off(Member& member) {
  member.target = secondary_ == nullptr ? Place::nowhere : Place::secondary;
  if (member.phase == Phase::parked && secondary_ == nullptr) {
    member.phase = Phase::settled;
    set_route(member, Route::gone);
  }
  if (member.phase != Phase::asking) return;
  member.phase = Phase::settled;
  if (!member.lease) return;
  const Lease lease = *std::exchange(member.lease, std::nullopt);
  if (!take_lease(member, lease)) {
    skipped_ += lease.size();
    member.spent_end = std::max(member.spent_end, lease.end);
  }
}

// As many as one turn may move.
void Failover::begin_return() {
  std::uint32_t started = 0;
  for (; return_at_ < members_.size() && started < options_.moves_per_turn; ++return_at_) {
    Member& member = members_[return_at_];
    if (member.sa == nullptr || member.place == Place::primary || member.phase != Phase::settled) continue;
    if (secondary_ != nullptr && member.pinned) continue;
    start_move(member, Place::primary);
    ++started;
  }
  returning_ = return_at_ < members_.size();
}

void Failover::start_move(Member& member, Place target) {
  if (member.phase == Phase::settled) moving_.push_back(member.id.index);
  member.phase = member.place == Place::nowhere ? Phase::parked : Phase::asking;
  member.target = target;
  member.since_ns = now();
  if (wants_lease(member)) want_lease(member);
}

void Failover::take_punts() {
  if (!routes_->punt_seen.exchange(false, std::memory_order_acq_rel)) return;
  for (Member& member : members_) {
    if (member.sa == nullptr) continue;
    if (!routes_->punted[member.id.index].exchange(false, std::memory_order_relaxed)) continue;
    if (member.place != Place::primary || member.phase != Phase::settled) continue;
    pin(member, fmt::format("it sends packets that the {} does not process", primary_name()));
    start_move(member, Place::secondary);
  }
}

// Those with all they need for the way: jobs for them wait from here on.
void Failover::hold_ready() {
  bool any = false;
  for (const std::uint32_t index : moving_) {
    Member& member = members_[index];
    if (member.phase != Phase::asking || wants_lease(member)) continue;
    set_route(member, Route::held);
    member.phase = Phase::draining;
    member.since_ns = now();
    any = true;
  }
  if (any) wait_for_workers();
}

bool Failover::step(Member& member) {
  const bool late = now() - member.since_ns >= options_.hold_limit_ns;
  if (member.phase == Phase::asking) return false;
  if (member.phase == Phase::draining) {
    if (in_flight(member.id.index) != 0) {
      // It is not known when they come: nobody waits behind them.
      if (late) set_route(member, Route::gone);
      return false;
    }
    leave(member);
    if (member.target == Place::nowhere) {
      set_route(member, Route::gone);
      member.phase = Phase::settled;
      return true;
    }
    member.phase = Phase::parked;
    member.since_ns = now();
    if (wants_lease(member)) want_lease(member);
  }
  // Parked. A stopped SA gets no lease any more, and nobody waits long for one: it goes on without, as any SA that is
  // out of lease does.
  const bool stopped = member.expired || (member.said & bit(EventKind::number_exhausted)) != 0;
  if (wants_lease(member) && !stopped && now() - member.since_ns < options_.hold_limit_ns) return false;
  if (now() < member.retry_ns) return false;
  return land(member);
}

// Reads all that moves with it, and takes it out.
void Failover::leave(Member& member) {
  show(member);
  const SaSlot& slot = *slot_at(member);
  if (member.direction == Direction::egress) {
    const std::uint64_t next = slot.next_number.load(std::memory_order_relaxed);
    if (next > member.lease_begin) member.sent_next = next;
    skipped_ += member.spent_end - std::min(member.spent_end, std::max(next, member.lease_begin));
  } else {
    member.window.copy_from(slot.window);
  }
  member.counters.add(slot.counters);
  member.expired = member.expired || slot.expired.load(std::memory_order_relaxed);
  member.starving = false;
  if (Engine* const engine = usable_at(member); engine != nullptr) {
    // A primary that keeps it is not asked to take it again.
    if (auto removed = engine->remove(member.id); !removed && health_allows(engine) && !member.pinned)
      pin(member, removed.error().message);
  }
  member.place = Place::nowhere;
}

// Into its new engine; then jobs reach it again.
bool Failover::land(Member& member) {
  const bool to_primary = member.target == Place::primary && use_ == PrimaryUse::used;
  const Place place = to_primary ? Place::primary : Place::secondary;
  if (place == Place::secondary && secondary_ == nullptr) {
    member.phase = Phase::settled;
    set_route(member, Route::gone);
    return true;
  }
  const bool egress = member.direction == Direction::egress;
  const Lease lease = egress ? member.lease.value_or(Lease{}) : Lease{};
  const auto fits = to_primary ? fits_primary(member) : Result<void>();
  auto installed = fits ? install_at(member, place, lease, egress ? 0 : member.window.window().top()) : fits;
  if (!installed) return land_failed(member, installed.error());
  member.starving = egress && !member.lease;
  member.lease.reset();
  member.phase = Phase::settled;
  ++moves_;
  set_route(member, to_primary ? Route::primary : Route::secondary);
  return true;
}

// 1. The primary: its lease may be spent; the SA goes on in the secondary with another.
// 2. The secondary: there is no other place. Once more in a while, with the same lease: nobody has seen it.
bool Failover::land_failed(Member& member, const Error& error) {
  if (member.target == Place::primary && use_ == PrimaryUse::used) {
    // 1.
    if (member.lease && member.spent_end >= member.lease->end) member.lease.reset();
    if (health_.state() == EngineState::ready) pin(member, error.message);
    if (secondary_ == nullptr) {
      member.phase = Phase::settled;
      set_route(member, Route::gone);
      return true;
    }
    member.target = Place::secondary;
    member.since_ns = now();
    if (wants_lease(member)) want_lease(member);
    return false;
  }
  // 2.
  say(fmt::format("SA {}: the {} does not take it: {}", member.id.index, secondary_name(), error.message));
  set_route(member, Route::gone);
  member.retry_ns = now() + retry_install_ns;
  return false;
}

// Of SAs that live there; once where once is enough.
void Failover::collect_events(Engine& engine, Place place) {
  std::array<Event, 64> events{};
  for (;;) {
    const std::uint32_t count = engine.events(events);
    for (std::uint32_t i = 0; i < count; ++i) {
      Member* const member = find(events[i].sa);
      if (member == nullptr || member->place != place || member->phase == Phase::draining) continue;
      const auto kind = static_cast<std::uint8_t>(bit(events[i].kind) & once);
      if ((member->said & kind) != 0) continue;
      member->said = static_cast<std::uint8_t>(member->said | kind);
      pending_.push_back(events[i]);
    }
    if (count < events.size()) return;
  }
}

}  // namespace linecrypt::engines
