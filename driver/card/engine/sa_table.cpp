#include "driver/card/engine/sa_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "host/values/numbers.hpp"
#include "host/values/packet_number.hpp"
#include "host/values/sa_start.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "linecrypt/wire/ipv6.hpp"
#include "linecrypt/wire/udp.hpp"

namespace linecrypt::card {
namespace {

constexpr std::uint32_t esp_front = wire::esp_header_size + 8;                   // and the IV (RFC 4106 3.1)
constexpr std::uint32_t esp_behind = 3 + wire::esp_trailer_size + esp_icv_size;  // and the most padding

abi::Block block_of_sa(const Sa& sa) {
  return std::visit([](const auto& one) { return block_of(one); }, sa);
}
Sa duplicate(const Sa& sa) {
  return std::visit([](const auto& one) { return Sa(one.duplicate()); }, sa);
}
// What only frames of this SA would break (IEEE 802.1AE-2018 9.5, 9.9), as the software engine refuses it.
Result<void> check_sci(const Sa& sa) {
  const auto* macsec = std::get_if<MacsecSa>(&sa);
  if (macsec == nullptr) return {};
  if (macsec->direction == Direction::egress && macsec->secy.sci_encoding == SciEncoding::scb &&
      macsec->sci.port != wire::sci_port_scb)
    return Error{
        fmt::format("sci: port {} with scb, allowed: port 0 with scb (IEEE 802.1AE-2018 9.5)", macsec->sci.port)};
  if (macsec->sci.value() == wire::sci_unspecified)
    return Error{"sci: ff:ff:ff:ff:ff:ff/65535 is reserved, allowed: any other (IEEE 802.1AE-2018 9.9)"};
  return {};
}

void fill(SaPlan& plan, const EspSa& sa) {
  const bool egress = sa.direction == Direction::egress;
  plan.operation = egress ? Operation::esp_encapsulate : Operation::esp_decapsulate;
  plan.tunnel = sa.mode == EspMode::tunnel;
  const std::uint32_t outer = !plan.tunnel ? 0 : sa.source.family == Family::ipv4 ? wire::ipv4_size : wire::ipv6_size;
  const std::uint32_t udp = sa.udp ? wire::udp_size : 0;
  plan.front = static_cast<std::uint16_t>(egress ? outer + udp + esp_front : 0);
  plan.behind = static_cast<std::uint16_t>(egress ? esp_behind : 0);
  plan.tfc_pad_to = egress && plan.tunnel ? sa.tfc_pad_to : std::uint16_t{0};
  plan.udp = sa.udp.has_value();
  plan.inner_checksum = wire::header_checksum(sa.verify_inner_checksum);
}

void fill(SaPlan& plan, const MacsecSa& sa) {
  const MacsecSecY& secy = sa.secy;
  const bool egress = sa.direction == Direction::egress;
  plan.operation = egress ? Operation::macsec_protect : Operation::macsec_validate;
  plan.tunnel = false;
  plan.front = static_cast<std::uint16_t>(egress ? wire::sectag_size_of(secy.sci_encoding) : 0);
  plan.behind = egress ? macsec_icv_size : 0;
  plan.tfc_pad_to = 0;
  plan.udp = false;
  plan.xpn = is_xpn(secy.suite);
  plan.clear_tags = wire::ClearTags(secy.clear_tags);
  plan.validate = secy.validate;
  plan.replay_protect = secy.replay_protect;
  plan.replay_window = secy.replay_window;
  plan.lowest_pn.store(sa.lowest_pn, std::memory_order_relaxed);
  plan.pn_soft_limit = pn_threshold_of(secy);
  plan.threshold_reported = false;
}

void raise_lowest(SaPlan& plan, std::uint64_t lowest_pn) noexcept {
  // One writer: load and store do.
  if (lowest_pn > plan.lowest_pn.load(std::memory_order_relaxed))
    plan.lowest_pn.store(lowest_pn, std::memory_order_relaxed);
}

// A limit less what is counted already; a limit that is reached stays at one, for zero means none.
std::uint64_t rest_of(std::uint64_t limit, std::uint64_t used) noexcept {
  return limit == 0 ? 0 : limit > used ? limit - used : 1;
}

}  // namespace

SaTable::SaTable(const Capabilities& capabilities, const EngineSetup& setup, std::span<SaSlot> own,
                 std::uint32_t sa_count, std::uint32_t first_generation)
    : capabilities_(capabilities),
      reclamation_(setup.reclamation),
      plans_(std::make_shared<std::vector<SaPlan>>(setup.slots.size() + own.size())),
      view_(setup.slots, own, *plans_),
      arena_(sizeof(Sa), alignof(Sa), 64),
      installed_(plans_->size()),
      generations_(first_generation) {
  for (auto& free : free_)
    for (std::uint32_t i = 0; i < sa_count; ++i) free.push_back(i);
  for (std::uint32_t i = 0; i < view_.size(); ++i) {
    SaSlot& slot = view_.slot(i);
    slot.generation.store(0, std::memory_order_release);
    slot.protocol = SaProtocol::none;
    slot.context = nullptr;
    slot.mailbox.clear();
    slot.window.attach(nullptr, 0);
  }
}

SaTable::~SaTable() {
  for (std::uint32_t i = 0; i < view_.size(); ++i) view_.slot(i).generation.store(0, std::memory_order_release);
  wait_for_workers();
  for (std::uint32_t i = 0; i < view_.size(); ++i) {
    forget(installed_[i]);
    view_.slot(i).window.attach(nullptr, 0);
  }
}

void SaTable::connect(std::shared_ptr<CommandRing> commands, const Lanes& lanes) {
  commands_ = std::move(commands);
  lanes_ = lanes;
}

void SaTable::wait_for_workers() const {
  if (reclamation_.wait_for_workers != nullptr) reclamation_.wait_for_workers(reclamation_.self);
}

Lane& SaTable::lane_of(abi::Block block) noexcept {
  const bool egress = block == abi::Block::esp_encapsulate || block == abi::Block::macsec_protect;
  return *lanes_[static_cast<std::size_t>(egress ? abi::Direction::egress : abi::Direction::ingress)];
}

Result<void> SaTable::find(SaId id) const {
  if (view_.live(id)) return {};
  return Error{fmt::format("SA {} of generation {} is not installed", id.index, id.generation)};
}

Result<CardPlace> SaTable::take_place(abi::Block block) {
  auto& free = free_[static_cast<std::size_t>(block)];
  if (free.empty()) return Error{"the card's tables are full; remove an SA first"};
  const auto generation = generations_.next();
  if (!generation)
    return Error{fmt::format("the card's session has had {} SAs, as many as it can tell apart; reset the card",
                             Generations::most)};
  const CardPlace place{free.front(), *generation};
  free.pop_front();
  return place;
}

void SaTable::free_place(abi::Block block, CardPlace place) {
  free_[static_cast<std::size_t>(block)].push_back(place.index);
}

Result<void> SaTable::load(const Sa& sa, CardPlace place, const Start& start, SaPlan& plan) {
  const SaId on_card{place.index, place.generation};
  const CommandList list =
      std::visit([&](const auto& one) { return install_commands(on_card, one, start.lease, start.window_top); }, sa);
  return commands_->push(list.commands(), plan);
}

// The commit that clears the place, and behind it a second token: when that is answered, no packet is inside that has
// met the SA, so the place may be used again.
Result<void> SaTable::retire(abi::Block block, CardPlace place, SaPlan& plan) {
  const abi::Command commands[] = {remove_command({place.index, place.generation}, block), drain_command(block)};
  auto answered = commands_->call(commands, plan);
  if (!answered) return answered.error();
  if (answered->kind != abi::ResponseKind::done) return Error{"the card refused to remove an SA"};
  free_place(block, place);
  return {};
}

// 1. A free slot and an SA that the standards and the card allow.
// 2. A place on the card, and a copy of the SA that no core dump shows.
// 3. The commands: nothing of the slot has changed when this fails. Jobs wait until the card has answered.
// 4. Fill slot and plan while nobody can see them.
// 5. Publish: the generation last (DESIGN 3.4).
Result<void> SaTable::install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) {
  // 1.
  if (id.index >= view_.size())
    return Error{fmt::format("SA index {}, allowed: 0 to {}", id.index, view_.size() - own_slots - 1)};
  if (!id.valid()) return Error{fmt::format("SA {}: generation 0, allowed: 1 and above", id.index)};
  SaSlot& slot = view_.slot(id.index);
  if (const std::uint32_t live = slot.generation.load(std::memory_order_relaxed); live != 0)
    return Error{fmt::format("SA slot {} is in use by generation {}; remove that first", id.index, live)};
  if (auto good = std::visit([this](const auto& one) { return check(capabilities_, one); }, sa); !good) return good;
  if (auto good = check_start(sa, lease, window_top); !good) return good;
  if (auto good = check_sci(sa); !good) return good;
  // 2.
  Installed fresh;
  fresh.block = block_of_sa(sa);
  auto memory = arena_.allocate();
  if (!memory) return memory.error();
  fresh.sa = std::construct_at(static_cast<Sa*>(*memory), duplicate(sa));
  auto place = take_place(fresh.block);
  if (!place) {
    forget(fresh);
    return place.error();
  }
  fresh.place = *place;
  fresh.granted = lease.end;
  const std::uint32_t bits = window_size(sa);
  if (bits != 0) fresh.window = std::make_unique<std::uint64_t[]>(ReplayWindow::words_for(bits));
  // 3.
  SaPlan& plan = view_.plan(id.index);
  if (auto loaded = load(sa, fresh.place, {lease, window_top}, plan); !loaded) {
    free_place(fresh.block, fresh.place);
    forget(fresh);
    return loaded;
  }
  // 4.
  const bool egress = direction_of(sa) == Direction::egress;
  slot.protocol = std::holds_alternative<EspSa>(sa) ? SaProtocol::esp : SaProtocol::macsec;
  slot.direction = direction_of(sa);
  slot.expired.store(false, std::memory_order_relaxed);
  slot.soft_reported = false;
  slot.context = nullptr;
  slot.mailbox.clear();
  slot.next_number.store(0, std::memory_order_relaxed);
  start_lease(slot, egress ? lease : Lease{});
  slot.window.attach(fresh.window.get(), bits);
  slot.window.reset_fully_marked(egress ? 0 : window_top);
  std::construct_at(&slot.counters);
  const auto* const esp = std::get_if<EspSa>(&sa);
  fresh.limits = esp != nullptr ? SaLimits(esp->lifetime) : SaLimits();
  std::visit([&](const auto& one) { fill(plan, one); }, sa);
  if (slot.protocol == SaProtocol::macsec && !egress && window_top != 0) raise_lowest(plan, window_top + 1);
  plan.place.store(fresh.place.packed(), std::memory_order_release);
  installed_[id.index] = std::move(fresh);
  slot.set_limits(&installed_[id.index].limits);
  ++installs_;
  // 5.
  slot.generation.store(id.generation, std::memory_order_release);
  return {};
}

void SaTable::forget(Installed& installed) noexcept {
  if (installed.sa != nullptr) std::destroy_at(installed.sa);
  arena_.release(installed.sa);
  installed = Installed{};
}

// 1. Off the card. From its commit on, packets that name the SA get stale_sa from the card.
// 2. What was inside before comes back and is settled with the SA.
// 3. The id is stale; nobody holds a pointer into the slot behind this.
// 4. Cleanse. Counters stay readable until the slot is used again.
Result<void> SaTable::remove(SaId id) {
  if (auto found = find(id); !found) return found;
  SaSlot& slot = view_.slot(id.index);
  SaPlan& plan = view_.plan(id.index);
  Installed& installed = installed_[id.index];
  Lane& lane = lane_of(installed.block);
  // 1. On a card that is lost there is nothing to remove any more.
  (void)retire(installed.block, installed.place, plan);
  // 2.
  lane.wait_for_batches();
  // 3.
  slot.generation.store(0, std::memory_order_seq_cst);
  wait_for_workers();
  lane.wait_for_quiescence();
  // 4.
  plan.place.store(0, std::memory_order_release);
  slot.set_limits(nullptr);
  forget(installed);
  slot.protocol = SaProtocol::none;
  slot.mailbox.clear();
  slot.window.attach(nullptr, 0);
  return {};
}

Result<void> SaTable::update(SaId id, const SaUpdate& update) {
  if (auto found = find(id); !found) return found;
  SaSlot& slot = view_.slot(id.index);
  SaPlan& plan = view_.plan(id.index);
  Installed& installed = installed_[id.index];
  const SaId on_card{installed.place.index, installed.place.generation};
  if (const auto* lease = std::get_if<GrantLease>(&update)) return grant(slot, installed, plan, lease->lease);
  if (const auto* peer = std::get_if<SetPeer>(&update)) return set_peer(id, slot, installed, *peer);
  if (const auto* restore = std::get_if<RestoreWindow>(&update))
    return restore_window(id, slot, installed, plan, *restore);
  if (std::holds_alternative<Expire>(update)) {
    const abi::Command command = expire_command(on_card, installed.block);
    if (auto pushed = commands_->push({&command, 1}, plan); !pushed) return pushed;
    slot.expired.store(true, std::memory_order_relaxed);
    return {};
  }
  if (installed.block != abi::Block::macsec_validate) return Error{"RaiseLowestPn: allowed on MACsec ingress SAs only"};
  const std::uint64_t lowest = std::get<RaiseLowestPn>(update).lowest_pn;
  const abi::Command command = raise_lowest_command(on_card, installed.block, lowest);
  if (auto pushed = commands_->push({&command, 1}, plan); !pushed) return pushed;
  raise_lowest(plan, lowest);
  return {};
}

// The mailbox holds the lease as the card does: the transfer thread takes it when the card's numbers show that the card
// has.
Result<void> SaTable::grant(SaSlot& slot, Installed& installed, SaPlan& plan, Lease lease) {
  if (auto good = check_grant(slot, installed.granted, lease); !good) return good;
  // A lease is spent once its entry may be in the ring, whatever comes of it.
  installed.granted = lease.end;
  const abi::Command command =
      grant_command({installed.place.index, installed.place.generation}, installed.block, lease);
  (void)slot.mailbox.put(lease);
  return commands_->push({&command, 1}, plan);
}

// Puts a live SA at another place of the card's tables, with other settings.
//
// 1. Nothing of this direction is in flight: the slot says where the numbers stand.
// 2. Complete at its new place before a job can find it there.
// 3. Jobs go there from now on; the old place is cleared.
Result<void> SaTable::change_place(SaId id, Installed& installed, const Sa& sa, const Start& start) {
  SaPlan& plan = view_.plan(id.index);
  auto place = take_place(installed.block);
  if (!place) return place.error();
  if (auto loaded = load(sa, *place, start, plan); !loaded) return loaded;
  const CardPlace old = installed.place;
  installed.place = *place;
  plan.place.store(place->packed(), std::memory_order_release);
  return retire(installed.block, old, plan);
}

// RFC 3948: the peer's NAT mapping changed.
//
// 1. What may move.
// 2. The same SA with other addresses, at another place. Egress goes on with the rest of its lease, and gets the
// waiting
//    one again; ingress starts a window below its top, for the host's window has the last word on what is inside.
// 3. Lifetimes count on.
Result<void> SaTable::set_peer(SaId id, SaSlot& slot, Installed& installed, const SetPeer& peer) {
  // 1.
  auto* const esp = std::get_if<EspSa>(installed.sa);
  if (esp == nullptr || !esp->udp) return Error{"SetPeer: allowed on ESP SAs with UDP encapsulation only"};
  EspSa moved = esp->duplicate();
  const bool egress = moved.direction == Direction::egress;
  IpAddress& end = egress ? moved.destination : moved.source;
  if (peer.address.family != end.family || peer.address == IpAddress{end.family, {}})
    return Error{fmt::format("SetPeer: address {}, allowed: one of the family of {}", peer.address.text(), end.text())};
  if (peer.port == 0) return Error{"SetPeer: port 0, allowed: 1 to 65535"};
  end = peer.address;
  (egress ? moved.udp->destination_port : moved.udp->source_port) = peer.port;
  // 2. and 3.
  Lane& lane = lane_of(installed.block);
  lane.hold();
  const std::uint64_t packets = slot.counters.packets.get();
  const std::uint64_t bytes = slot.counters.bytes.get();
  EspSa rest = moved.duplicate();
  for (LifetimeLimit* limit : {&rest.lifetime.soft, &rest.lifetime.hard}) {
    limit->packets = rest_of(limit->packets, packets);
    limit->bytes = rest_of(limit->bytes, bytes);
  }
  const std::uint64_t top = slot.window.top();
  Start start{{slot.next_number.load(std::memory_order_relaxed), slot.lease_end.load(std::memory_order_relaxed)},
              top > moved.replay_window ? top - moved.replay_window : 0};
  Lease waiting;
  const bool granted = slot.mailbox.take(waiting);
  auto changed = change_place(id, installed, Sa(std::move(rest)), start);
  const SaId on_card{installed.place.index, installed.place.generation};
  if (granted) {
    (void)slot.mailbox.put(waiting);
    const abi::Command command = grant_command(on_card, installed.block, waiting);
    if (changed) changed = commands_->push({&command, 1}, view_.plan(id.index));
  }
  if (changed && slot.expired.load(std::memory_order_relaxed)) {
    const abi::Command command = expire_command(on_card, installed.block);
    changed = commands_->push({&command, 1}, view_.plan(id.index));
  }
  if (changed) *esp = std::move(moved);
  lane.resume();
  return changed;
}

// The SA comes from another engine. The host's window becomes a copy; the card starts where it lets through all that
// may be fresh: ESP a window below the top, MACsec at the lowest acceptable PN (IEEE 802.1AE-2018 10.6.4).
Result<void> SaTable::restore_window(SaId id, SaSlot& slot, Installed& installed, SaPlan& plan,
                                     const RestoreWindow& restore) {
  if (slot.direction != Direction::ingress || restore.window == nullptr)
    return Error{"RestoreWindow: allowed on ingress SAs only, with a window"};
  Lane& lane = lane_of(installed.block);
  lane.hold();
  const std::uint64_t top = restore.window->top();
  Sa moved = duplicate(*installed.sa);
  Start start;
  std::uint64_t lowest = 1;
  if (auto* esp = std::get_if<EspSa>(&moved)) {
    start.window_top = top > esp->replay_window ? top - esp->replay_window : 0;
  } else {
    auto& macsec = std::get<MacsecSa>(moved);
    const std::uint64_t window = macsec.secy.replay_window;
    lowest = std::max(macsec.lowest_pn, restore.lowest_pn);
    // With replay protection off nothing is too low, and the lowest PN only tells the high half (10.6.2).
    macsec.lowest_pn = std::max(lowest, top >= window ? top - window + 1 : 1);
  }
  auto changed = change_place(id, installed, moved, start);
  if (changed) {
    slot.window.copy_from(*restore.window);
    plan.lowest_pn.store(lowest, std::memory_order_relaxed);
  }
  lane.resume();
  return changed;
}

Result<SaState> SaTable::read(SaId id) const {
  if (auto found = find(id); !found) return found.error();
  const SaSlot& slot = view_.slot(id.index);
  const bool egress = slot.direction == Direction::egress;
  SaState state;
  state.next_number = egress ? slot.next_number.load(std::memory_order_relaxed) : 0;
  state.lease_end = egress ? slot.lease_end.load(std::memory_order_relaxed) : 0;
  state.window_top = egress ? 0 : slot.window.top();
  state.expired = slot.expired.load(std::memory_order_relaxed);
  return state;
}

Result<SaState> SaTable::read_back(SaId id) {
  if (auto found = find(id); !found) return found.error();
  const Installed& installed = installed_[id.index];
  const abi::Command command = read_command({installed.place.index, installed.place.generation}, installed.block);
  auto answer = commands_->call({&command, 1}, view_.plan(id.index));
  if (!answer) return answer.error();
  if (answer->kind != abi::ResponseKind::state)
    return Error{fmt::format("the card has no SA at place {} of its tables", installed.place.index)};
  const bool egress = view_.slot(id.index).direction == Direction::egress;
  SaState state;
  state.next_number = egress ? answer->next_number : 0;
  state.lease_end = egress ? answer->lease_end : 0;
  state.window_top = egress ? 0 : answer->next_number;
  state.expired = (answer->flags & 1U) != 0;
  return state;
}

}  // namespace linecrypt::card
