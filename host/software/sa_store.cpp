#include "host/software/sa_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "host/software/esp/context.hpp"
#include "host/software/macsec/context.hpp"
#include "host/values/numbers.hpp"
#include "host/values/sa_start.hpp"

namespace linecrypt::software {
namespace {

constexpr std::size_t context_alignment = 64;

EspSa without_key(const EspSa& sa) {
  EspSa copy = sa.duplicate();
  copy.key = Secret<32>();
  return copy;
}

}  // namespace

SaStore::SaStore(AeadProvider& provider, const Capabilities& capabilities, const EngineSetup& setup)
    : provider_(provider),
      capabilities_(capabilities),
      slots_(setup.slots),
      reclamation_(setup.reclamation),
      contexts_(std::max(esp::context_size(), macsec::context_size()), context_alignment),
      keys_(provider.context_size(), provider.context_alignment()),
      settings_(sizeof(EspSa), alignof(EspSa)),
      installed_(setup.slots.size()) {
  for (SaSlot& slot : slots_) {
    slot.generation.store(0, std::memory_order_release);
    slot.protocol = SaProtocol::none;
    slot.context = nullptr;
    slot.mailbox.clear();
    slot.window.attach(nullptr, 0);
  }
}

Result<void> SaStore::reserve() {
  for (KeyArena* arena : {&contexts_, &keys_, &settings_})
    if (auto good = arena->reserve(slots_.size()); !good) return good;
  return {};
}

SaStore::~SaStore() {
  for (SaSlot& slot : slots_) slot.generation.store(0, std::memory_order_release);
  wait_for_workers();
  for (std::size_t i = 0; i < installed_.size(); ++i) {
    free(installed_[i], slots_[i].protocol);
    slots_[i].context = nullptr;
    slots_[i].window.attach(nullptr, 0);
  }
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

// 1. A free slot and an SA that the standards and this engine allow.
// 2. Contexts in the arenas: nothing of the slot has changed when this fails.
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
  // 2.
  Installed fresh;
  const SaProtocol protocol = std::holds_alternative<EspSa>(sa) ? SaProtocol::esp : SaProtocol::macsec;
  if (auto good = std::visit([&](const auto& one) { return make(fresh, one); }, sa); !good) {
    free(fresh, protocol);
    return good;
  }
  const std::uint32_t bits = window_size(sa);
  if (bits != 0) fresh.window = std::make_unique<std::uint64_t[]>(ReplayWindow::words_for(bits));
  // 3.
  const bool egress = direction_of(sa) == Direction::egress;
  slot.protocol = protocol;
  slot.direction = direction_of(sa);
  slot.expired.store(false, std::memory_order_relaxed);
  slot.soft_reported = false;
  slot.context = fresh.context;
  slot.mailbox.clear();
  slot.next_number.store(0, std::memory_order_relaxed);
  start_lease(slot, egress ? lease : Lease{});
  slot.window.attach(fresh.window.get(), bits);
  slot.window.reset_fully_marked(egress ? 0 : window_top);
  if (protocol == SaProtocol::macsec && !egress && window_top != 0)
    macsec::raise_lowest_pn(fresh.context, window_top + 1);
  std::construct_at(&slot.counters);
  slot.lifetime = protocol == SaProtocol::esp ? std::get<EspSa>(sa).lifetime : Lifetime{};
  fresh.granted = lease.end;
  installed_[id.index] = std::move(fresh);
  // 4.
  slot.generation.store(id.generation, std::memory_order_release);
  return {};
}

Result<void> SaStore::make(Installed& installed, const EspSa& sa) {
  auto context = contexts_.allocate();
  if (!context) return context.error();
  if (auto good = esp::make_context(sa, *context); !good) {
    contexts_.release(*context);
    return good;
  }
  installed.context = *context;
  auto settings = settings_.allocate();
  if (!settings) return settings.error();
  installed.esp = std::construct_at(static_cast<EspSa*>(*settings), without_key(sa));
  if (auto good = expand(installed, sa.key.bytes()); !good) return good;
  esp::set_key(installed.context, installed.key);
  return {};
}

Result<void> SaStore::make(Installed& installed, const MacsecSa& sa) {
  auto context = contexts_.allocate();
  if (!context) return context.error();
  if (auto good = macsec::make_context(sa, *context); !good) {
    contexts_.release(*context);
    return good;
  }
  installed.context = *context;
  if (auto good = expand(installed, sa.key.bytes()); !good) return good;
  macsec::set_key(installed.context, installed.key);
  return {};
}

Result<void> SaStore::expand(Installed& installed, std::span<const std::uint8_t> key) {
  auto block = keys_.allocate();
  if (!block) return block.error();
  if (auto good = provider_.expand(key, *block); !good) {
    keys_.release(*block);
    return good;
  }
  installed.key = *block;
  return {};
}

void SaStore::free_context(void* context, SaProtocol protocol) noexcept {
  if (context == nullptr) return;
  protocol == SaProtocol::esp ? esp::destroy_context(context) : macsec::destroy_context(context);
  contexts_.release(context);
}

// No worker can reach it. The arenas cleanse what comes back.
void SaStore::free(Installed& installed, SaProtocol protocol) noexcept {
  free_context(installed.context, protocol);
  if (installed.key != nullptr) provider_.destroy(installed.key);
  keys_.release(installed.key);
  if (installed.esp != nullptr) std::destroy_at(installed.esp);
  settings_.release(installed.esp);
  installed = Installed{};
}

Result<void> SaStore::remove(SaId id) {
  if (auto found = find(id); !found) return found;
  // 1. From now on the id is stale; workers that found the slot before may still use it until they pass a quiescent
  // point.
  SaSlot& slot = slots_[id.index];
  slot.generation.store(0, std::memory_order_release);
  wait_for_workers();
  // 2. Nobody left: cleanse. Counters stay readable until the slot is used again.
  free(installed_[id.index], slot.protocol);
  slot.protocol = SaProtocol::none;
  slot.context = nullptr;
  slot.mailbox.clear();
  slot.window.attach(nullptr, 0);
  return {};
}

Result<void> SaStore::update(SaId id, const SaUpdate& update) {
  if (auto found = find(id); !found) return found;
  SaSlot& slot = slots_[id.index];
  Installed& installed = installed_[id.index];
  if (const auto* lease = std::get_if<GrantLease>(&update)) return grant(slot, installed, lease->lease);
  if (const auto* peer = std::get_if<SetPeer>(&update)) return set_peer(slot, installed, *peer);
  if (std::holds_alternative<Expire>(update)) {
    slot.expired.store(true, std::memory_order_relaxed);
    return {};
  }
  if (const auto* from = std::get_if<RestoreWindow>(&update)) {
    if (slot.direction != Direction::ingress) return Error{"RestoreWindow: allowed on ingress SAs only"};
    slot.window.copy_from(*from->window);
    if (slot.protocol == SaProtocol::macsec) macsec::restore_lowest_pn(installed.context, from->lowest_pn);
    return {};
  }
  if (slot.protocol != SaProtocol::macsec || slot.direction != Direction::ingress)
    return Error{"RaiseLowestPn: allowed on MACsec ingress SAs only"};
  macsec::raise_lowest_pn(installed.context, std::get<RaiseLowestPn>(update).lowest_pn);
  return {};
}

Result<void> SaStore::grant(SaSlot& slot, Installed& installed, Lease lease) {
  if (auto good = check_grant(slot, installed.granted, lease); !good) return good;
  (void)slot.mailbox.put(lease);
  installed.granted = lease.end;
  return {};
}

// RFC 3948: the peer's NAT mapping changed. A second context with the new addresses takes the place of the first one
// while packets flow; both use the same key context and the slot's numbers.
Result<void> SaStore::set_peer(SaSlot& slot, Installed& installed, const SetPeer& peer) {
  // 1. What may move.
  if (slot.protocol != SaProtocol::esp || !installed.esp->udp)
    return Error{"SetPeer: allowed on ESP SAs with UDP encapsulation only"};
  EspSa moved = without_key(*installed.esp);
  const bool egress = moved.direction == Direction::egress;
  IpAddress& end = egress ? moved.destination : moved.source;
  if (peer.address.family != end.family || peer.address == IpAddress{end.family, {}})
    return Error{fmt::format("SetPeer: address {}, allowed: one of the family of {}", peer.address.text(), end.text())};
  if (peer.port == 0) return Error{"SetPeer: port 0, allowed: 1 to 65535"};
  end = peer.address;
  (egress ? moved.udp->destination_port : moved.udp->source_port) = peer.port;
  // 2. The new context, complete before it is seen.
  auto context = contexts_.allocate();
  if (!context) return context.error();
  if (auto good = esp::make_context(moved, *context); !good) {
    contexts_.release(*context);
    return good;
  }
  esp::set_key(*context, installed.key);
  // 3. Swap; the old one goes once no worker is inside a burst that uses it.
  void* const old = installed.context;
  std::atomic_ref<void*>(slot.context).store(*context, std::memory_order_release);
  wait_for_workers();
  free_context(old, SaProtocol::esp);
  installed.context = *context;
  *installed.esp = std::move(moved);
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

}  // namespace linecrypt::software
