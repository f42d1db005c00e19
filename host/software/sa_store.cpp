#include "host/software/sa_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <memory>

#include "host/software/esp/context.hpp"
#include "host/software/macsec/context.hpp"
#include "host/software/sa_head.hpp"
#include "host/values/numbers.hpp"
#include "host/values/sa_start.hpp"

namespace linecrypt::software {
namespace {

// Larger windows are allocated apart.
constexpr std::uint32_t window_in_arena = 1024;
constexpr std::size_t window_bytes = ReplayWindow::words_for(window_in_arena) * sizeof(std::uint64_t);

std::span<const std::uint8_t> key_of(const Sa& sa) {
  return std::visit([](const auto& one) { return one.key.bytes(); }, sa);
}

ContextHead* head_of(void* context) noexcept {
  return static_cast<ContextHead*>(context);
}

// The context of an SA that no other thread changes now: this one does, if anyone.
void* context_of(SaSlot& slot) noexcept {
  return std::atomic_ref<void*>(slot.context).load(std::memory_order_relaxed);
}
void set_context(SaSlot& slot, void* context) noexcept {
  std::atomic_ref<void*>(slot.context).store(context, std::memory_order_release);
}

}  // namespace

SaStore::SaStore(AeadProvider& provider, const Capabilities& capabilities, const EngineSetup& setup)
    : provider_(provider),
      capabilities_(capabilities),
      slots_(setup.slots),
      reclamation_(setup.reclamation),
      contexts_(context_size_largest, context_alignment),
      keys_(provider.context_size(), provider.context_alignment()),
      windows_(window_bytes, context_alignment, 256, ArenaHolds::no_keys) {
  for (SaSlot& slot : slots_) {
    slot.generation.store(0, std::memory_order_release);
    slot.protocol = SaProtocol::none;
    set_context(slot, nullptr);
    slot.mailbox.clear();
    slot.window.attach(nullptr, 0);
    slot.set_limits(nullptr);
  }
}

Result<void> SaStore::reserve() {
  for (KeyArena* arena : {&contexts_, &keys_, &windows_})
    if (auto good = arena->reserve(slots_.size()); !good) return good;
  return {};
}

SaStore::~SaStore() {
  for (SaSlot& slot : slots_) slot.generation.store(0, std::memory_order_release);
  wait_for_workers();
  for (const Retired& retired : retired_) free(retired);
  for (SaSlot& slot : slots_) free(slot);
}

void SaStore::wait_for_workers() const {
  if (reclamation_.wait_for_workers != nullptr) reclamation_.wait_for_workers(reclamation_.self);
}

Result<void> SaStore::find(SaId id) const {
  if (id.index < slots_.size() && id.valid() &&
      slots_[id.index].generation.load(std::memory_order_relaxed) == id.generation)
    return {};
  return Error{fmt::format("SA {} of generation {} is not installed", id.index, id.generation)};
}

// 1. A free slot, left by everyone, and an SA that the standards and this engine allow.
// 2. Context, key and window: nothing of the slot is in use when this fails.
// 3. Fill the slot while nobody can see it.
// 4. Publish: the generation last (DESIGN 3.4).
Result<void> SaStore::install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) {
  // 1.
  if (id.index >= slots_.size())
    return Error{fmt::format("SA index {}, allowed: 0 to {}", id.index, slots_.size() - 1)};
  if (!id.valid()) return Error{fmt::format("SA {}: generation 0, allowed: 1 and above", id.index)};
  SaSlot& slot = slots_[id.index];
  if (const std::uint32_t live = slot.generation.load(std::memory_order_relaxed); live != 0)
    return Error{fmt::format("SA slot {} is in use by generation {}; remove that first", id.index, live)};
  if (auto good = std::visit([this](const auto& one) { return check(capabilities_, one); }, sa); !good) return good;
  if (auto good = check_start(sa, lease, window_top); !good) return good;
  settle(id.index);
  // 2.
  auto context = make(sa);
  if (!context) return context.error();
  const SaProtocol protocol = std::holds_alternative<EspSa>(sa) ? SaProtocol::esp : SaProtocol::macsec;
  const Direction direction = direction_of(sa);
  const bool egress = direction == Direction::egress;
  slot.protocol = protocol;
  slot.direction = direction;
  set_context(slot, *context);
  if (auto good = make_window(slot, window_size(sa)); !good) {
    free(slot);
    return good;
  }
  // 3.
  slot.expired.store(false, std::memory_order_relaxed);
  slot.soft_reported = false;
  slot.mailbox.clear(lease.end);
  slot.next_number.store(0, std::memory_order_relaxed);
  start_lease(slot, egress ? lease : Lease{});
  slot.window.reset_fully_marked(egress ? 0 : window_top);
  if (protocol == SaProtocol::macsec && !egress && window_top != 0) macsec::raise_lowest_pn(*context, window_top + 1);
  std::construct_at(&slot.counters);
  slot.set_limits(protocol == SaProtocol::esp ? esp::limits_of(*context, direction) : nullptr);
  // 4.
  slot.generation.store(id.generation, std::memory_order_release);
  return {};
}

Result<void*> SaStore::make(const Sa& sa) {
  auto memory = contexts_.allocate();
  if (!memory) return memory;
  const auto* const esp = std::get_if<EspSa>(&sa);
  auto made = esp != nullptr ? esp::make_context(*esp, *memory) : macsec::make_context(std::get<MacsecSa>(sa), *memory);
  if (!made) {
    contexts_.release(*memory);
    return made;
  }
  assert(*made == *memory);
  auto key = expand(key_of(sa));
  if (!key) {
    free_context(*made, esp != nullptr ? SaProtocol::esp : SaProtocol::macsec, direction_of(sa));
    return key;
  }
  head_of(*made)->key = *key;
  return made;
}

Result<void> SaStore::make_window(SaSlot& slot, std::uint32_t bits) {
  if (bits == 0) {
    slot.window.attach(nullptr, 0);
    return {};
  }
  if (bits > window_in_arena) {
    slot.window.attach(new std::uint64_t[ReplayWindow::words_for(bits)](), bits);
    return {};
  }
  auto words = windows_.allocate();
  if (!words) return words.error();
  slot.window.attach(static_cast<std::uint64_t*>(*words), bits);
  return {};
}

Result<void*> SaStore::expand(std::span<const std::uint8_t> key) {
  auto block = keys_.allocate();
  if (!block) return block;
  if (auto good = provider_.expand(key, *block); !good) {
    keys_.release(*block);
    return good.error();
  }
  return block;
}

void SaStore::free_context(void* context, SaProtocol protocol, Direction direction) noexcept {
  if (protocol == SaProtocol::esp) esp::destroy_context(context, direction);
  contexts_.release(context);
}

// No worker can reach it. The arenas cleanse what comes back. Counters stay readable until the slot is used again.
void SaStore::free(SaSlot& slot) noexcept {
  if (void* const context = context_of(slot); context != nullptr) {
    // The store made the key context and lends it to workers as const.
    void* const key = const_cast<void*>(head_of(context)->key);
    provider_.destroy(key);
    keys_.release(key);
    free_context(context, slot.protocol, slot.direction);
  }
  if (slot.window.size() > window_in_arena)
    delete[] slot.window.words();
  else
    windows_.release(slot.window.words());
  slot.protocol = SaProtocol::none;
  set_context(slot, nullptr);
  slot.mailbox.clear();
  slot.window.attach(nullptr, 0);
  slot.set_limits(nullptr);
}

void SaStore::free(const Retired& retired) noexcept {
  if (retired.context != nullptr)
    contexts_.release(retired.context);
  else
    free(slots_[retired.index]);
}

// Workers that found it before may use it until they pass a quiescent point: freed then, here or later.
void SaStore::retire(Retired retired) {
  if (reclamation_.begin == nullptr || reclamation_.passed == nullptr) {
    wait_for_workers();
    free(retired);
    return;
  }
  retired.moment = reclamation_.begin(reclamation_.self);
  retired_.push_back(retired);
  reclaim();
}

void SaStore::reclaim() {
  while (!retired_.empty() && reclamation_.passed(reclamation_.self, retired_.front().moment)) {
    free(retired_.front());
    retired_.pop_front();
  }
}

void SaStore::settle(std::uint32_t index) {
  reclaim();
  if (context_of(slots_[index]) == nullptr) return;
  wait_for_workers();
  for (const Retired& retired : retired_) free(retired);
  retired_.clear();
}

// The generation goes first: from now on the id is stale.
Result<void> SaStore::remove(SaId id) {
  if (auto found = find(id); !found) return found;
  slots_[id.index].generation.store(0, std::memory_order_release);
  retire({0, nullptr, id.index});
  return {};
}

Result<void> SaStore::update(SaId id, const SaUpdate& update) {
  reclaim();
  if (auto found = find(id); !found) return found;
  SaSlot& slot = slots_[id.index];
  if (const auto* lease = std::get_if<GrantLease>(&update)) {
    if (auto good = check_grant(slot, slot.mailbox.last_end(), lease->lease); !good) return good;
    (void)slot.mailbox.put(lease->lease);
    return {};
  }
  if (const auto* peer = std::get_if<SetPeer>(&update)) return set_peer(slot, *peer);
  if (std::holds_alternative<Expire>(update)) {
    slot.expired.store(true, std::memory_order_relaxed);
    return {};
  }
  if (const auto* from = std::get_if<RestoreWindow>(&update)) {
    if (slot.direction != Direction::ingress) return Error{"RestoreWindow: allowed on ingress SAs only"};
    slot.window.copy_from(*from->window);
    if (slot.protocol == SaProtocol::macsec) macsec::restore_lowest_pn(context_of(slot), from->lowest_pn);
    return {};
  }
  if (slot.protocol != SaProtocol::macsec || slot.direction != Direction::ingress)
    return Error{"RaiseLowestPn: allowed on MACsec ingress SAs only"};
  macsec::raise_lowest_pn(context_of(slot), std::get<RaiseLowestPn>(update).lowest_pn);
  return {};
}

// RFC 3948: the peer's NAT mapping changed. A second context with the new addresses takes the place of the first one
// while packets flow; both use the same key context and the slot's numbers. Complete before it is seen; the old one
// goes once no worker is inside a burst that uses it.
Result<void> SaStore::set_peer(SaSlot& slot, const SetPeer& peer) {
  if (slot.protocol != SaProtocol::esp) return Error{"SetPeer: allowed on ESP SAs with UDP encapsulation only"};
  auto memory = contexts_.allocate();
  if (!memory) return memory.error();
  void* const old = context_of(slot);
  auto moved = esp::move_context(old, slot.direction, peer, *memory);
  if (!moved) {
    contexts_.release(*memory);
    return moved.error();
  }
  assert(*moved == *memory);
  if (slot.limited) slot.limits.store(esp::limits_of(*moved, slot.direction), std::memory_order_release);
  set_context(slot, *moved);
  retire({0, old, 0});
  return {};
}

Result<SaState> SaStore::read(SaId id) const {
  if (auto found = find(id); !found) return found.error();
  const SaSlot& slot = slots_[id.index];
  const bool egress = slot.direction == Direction::egress;
  SaState state;
  state.next_number = egress ? slot.next_number.load(std::memory_order_relaxed) : 0;
  state.lease_end = egress ? slot.lease_end.load(std::memory_order_relaxed) : 0;
  state.window_top = egress ? 0 : slot.window.top();
  state.expired = slot.expired.load(std::memory_order_relaxed);
  return state;
}

SaStore::Footprint SaStore::footprint() const noexcept {
  Footprint sum;
  sum.per_egress_sa = contexts_.block_size() + keys_.block_size();
  sum.per_ingress_sa = sum.per_egress_sa + windows_.block_size();
  for (const KeyArena* arena : {&contexts_, &keys_, &windows_}) {
    sum.taken += arena->bytes();
    sum.huge += arena->huge_bytes();
  }
  return sum;
}

}  // namespace linecrypt::software
