// One SA of a failover engine: where it may live, how an engine gets it, what the caller's slot shows of it. On the
// control thread.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "host/engines/failover_engine.hpp"

namespace linecrypt::engines {
namespace {

// What is left of a limit. 0 is no limit, so one that was reached is told apart.
std::uint64_t left_of(std::uint64_t limit, std::uint64_t used, bool& reached) noexcept {
  if (limit == 0 || used < limit) return limit == 0 ? 0 : limit - used;
  reached = true;
  return 0;
}

}  // namespace

Sa duplicate(const Sa& sa) {
  return std::visit([](const auto& one) { return Sa(one.duplicate()); }, sa);
}

void Failover::wait_for_workers() const {
  if (setup_.reclamation.wait_for_workers != nullptr) setup_.reclamation.wait_for_workers(setup_.reclamation.self);
}

void Failover::set_route(const Member& member, Route route) noexcept {
  routes_->route[member.id.index].store(route, std::memory_order_release);
}

bool Failover::wants_lease(const Member& member) noexcept {
  return member.direction == Direction::egress && !member.lease &&
         (member.phase == Phase::asking || member.phase == Phase::parked);
}

Engine* Failover::engine_at(const Member& member) const noexcept {
  if (member.place == Place::nowhere) return nullptr;
  return member.place == Place::primary ? primary_.get() : secondary_.get();
}

SaSlot* Failover::slot_at(const Member& member) const noexcept {
  if (member.place == Place::nowhere) return nullptr;
  return (member.place == Place::primary ? primary_slots_ : secondary_slots_).get() + member.id.index;
}

Engine* Failover::usable_at(const Member& member) const noexcept {
  if (member.place == Place::primary && (use_ != PrimaryUse::used || member.source_lost)) return nullptr;
  return engine_at(member);
}

bool Failover::health_allows(const Engine* engine) const noexcept {
  return engine != primary_.get() || health_.state() == EngineState::ready;
}

// Brings the caller's slot up to date. Of numbers, only those known to be used are told: those skipped on a move were
// not sent, and the peer has not followed them.
void Failover::show(const Member& member) const {
  SaSlot& to = setup_.slots[member.id.index];
  const SaSlot* const from = slot_at(member);
  member.counters.show(to.counters, from == nullptr ? nullptr : &from->counters);
  if (from == nullptr) {
    to.lease_end.store(member.spent_end, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t next = from->next_number.load(std::memory_order_relaxed);
  to.next_number.store(next > member.lease_begin ? next : member.sent_next, std::memory_order_relaxed);
  to.lease_end.store(member.starving ? member.spent_end : from->lease_end.load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
  to.window.accept(from->window.top());
  if (from->expired.load(std::memory_order_relaxed)) to.expired.store(true, std::memory_order_relaxed);
}

void Failover::forget(Member& member) {
  std::destroy_at(member.sa);
  keys_.release(member.sa);
  std::destroy_at(&member);
  std::construct_at(&member);
}

void Failover::say(std::string message) {
  messages_.push_back(std::move(message));
}

void Failover::pin(Member& member, std::string reason) {
  member.pinned = true;
  member.reason = std::move(reason);
}

Result<void> Failover::fits_primary(const Member& member) const {
  if (member.id.index >= primary_count_)
    return Error{
        fmt::format("the {} has {} SA slots, this is slot {}", primary_name(), primary_count_, member.id.index)};
  return std::visit([this](const auto& one) { return check(primary_->capabilities(), one); }, *member.sa);
}

// Into an engine that does not have it, out of reach of jobs. A lease that a primary was shown is spent.
//
// 1. Lifetimes go on: the engine gets what is left of them.
// 2. Install. 3. The window as it was, where the engine can take it; else everything up to its top counts as seen.
Result<void> Failover::install_at(Member& member, Place place, Lease lease, std::uint64_t window_top) {
  Engine& engine = place == Place::primary ? *primary_ : *secondary_;
  // 1.
  Sa sa = duplicate(*member.sa);
  if (auto* esp = std::get_if<EspSa>(&sa)) {
    const SaCounters& counted = setup_.slots[member.id.index].counters;
    bool soft = false;
    for (LifetimeLimit* limit : {&esp->lifetime.soft, &esp->lifetime.hard}) {
      bool& reached = limit == &esp->lifetime.hard ? member.expired : soft;
      limit->packets = left_of(limit->packets, counted.packets.get(), reached);
      limit->bytes = left_of(limit->bytes, counted.bytes.get(), reached);
    }
    if (soft) esp->lifetime.soft.packets = esp->lifetime.soft.bytes = 0;
  }
  // 2.
  if (place == Place::primary) member.spent_end = std::max(member.spent_end, lease.end);
  if (auto installed = engine.install(member.id, sa, lease, window_top); !installed) {
    if (place == Place::primary) skipped_ += lease.size();
    return installed;
  }
  member.spent_end = std::max(member.spent_end, lease.end);
  member.lease_begin = lease.begin;
  member.place = place;
  member.source_lost = false;
  if (member.expired) static_cast<void>(engine.update(member.id, Expire{}).ok());
  // 3.
  const ReplayWindow& window = member.window.window();
  if (member.direction == Direction::ingress && window.size() != 0 && engine.capabilities().window_restore) {
    const auto* macsec = std::get_if<MacsecSa>(member.sa);
    const RestoreWindow restore{&window, macsec == nullptr ? 1 : macsec->lowest_pn};
    if (auto restored = engine.update(member.id, restore); !restored) say(restored.error().message);
  }
  return {};
}

// Where a new SA lives.
//
// 1. In the primary, if that is used and takes it. 2. In the secondary; with the same lease if no other engine saw it.
Result<void> Failover::place_first(Member& member, Lease lease, std::uint64_t window_top) {
  const bool egress = member.direction == Direction::egress;
  auto fits = fits_primary(member);
  if (!fits && secondary_ == nullptr) return fits;
  if (!fits) pin(member, fits.error().message);
  // 1.
  if (fits && use_ == PrimaryUse::used) {
    auto installed = install_at(member, Place::primary, lease, window_top);
    if (installed) {
      set_route(member, Route::primary);
      return {};
    }
    if (secondary_ == nullptr) return installed;
    if (health_.state() == EngineState::ready) pin(member, installed.error().message);
    if (egress) {
      member.phase = Phase::parked;
      member.target = Place::secondary;
      member.since_ns = now();
      moving_.push_back(member.id.index);
      set_route(member, Route::held);
      want_lease(member);
      return {};
    }
  }
  // 2.
  if (secondary_ == nullptr) {
    if (egress) member.lease = lease;
    set_route(member, Route::gone);
    return {};
  }
  if (auto installed = install_at(member, Place::secondary, lease, window_top); !installed) return installed;
  set_route(member, Route::secondary);
  return {};
}

// For the engine that gets it next.
Result<void> Failover::remember(Member& member, const SaUpdate& update) {
  auto* const esp = std::get_if<EspSa>(member.sa);
  auto* const macsec = std::get_if<MacsecSa>(member.sa);
  if (const auto* peer = std::get_if<SetPeer>(&update)) {
    if (esp == nullptr || !esp->udp) return Error{"SetPeer: allowed on ESP SAs with UDP encapsulation only"};
    const bool egress = esp->direction == Direction::egress;
    IpAddress& end = egress ? esp->destination : esp->source;
    if (peer->address.family != end.family)
      return Error{
          fmt::format("SetPeer: address {}, allowed: one of the family of {}", peer->address.text(), end.text())};
    end = peer->address;
    (egress ? esp->udp->destination_port : esp->udp->source_port) = peer->port;
    return {};
  }
  const auto* const lowest = std::get_if<RaiseLowestPn>(&update);
  if (lowest == nullptr || macsec == nullptr || macsec->direction != Direction::ingress)
    return Error{"RaiseLowestPn: allowed on MACsec ingress SAs only"};
  macsec->lowest_pn = std::max(macsec->lowest_pn, lowest->lowest_pn);
  return {};
}

}  // namespace linecrypt::engines
