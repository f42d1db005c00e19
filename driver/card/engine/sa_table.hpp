// SaTable: the control thread's side of the card's tables: what is installed in each slot, and where on the card.
//
// An SA's place in its block's tables is ours to choose, and not its slot's index: a live SA can be put at another
// place with other settings (a peer that moved) without the tables being wrong at any moment.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "driver/card/engine/command_ring.hpp"
#include "driver/card/engine/generations.hpp"
#include "driver/card/engine/lane.hpp"
#include "driver/card/engine/sa_view.hpp"
#include "driver/card/records/commands.hpp"
#include "host/values/key_arena.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::card {

// The lanes of a session; index is the direction.
using Lanes = std::array<std::shared_ptr<Lane>, abi::directions>;

class SaTable {
 public:
  // All slots are free afterwards, whoever used them before. `own` are slots behind the host's. `first_generation` is
  // random: what an earlier session may have left on the card is of no generation of ours. `capabilities` outlives
  // this.
  SaTable(const Capabilities& capabilities, const EngineSetup& setup, std::span<SaSlot> own, std::uint32_t sa_count,
          std::uint32_t first_generation);
  // Retires every SA. No transfer thread runs any more.
  ~SaTable();
  SaTable(const SaTable&) = delete;
  SaTable& operator=(const SaTable&) = delete;

  [[nodiscard]] const SaView& view() const noexcept { return view_; }
  // What commands on their way may still point to.
  [[nodiscard]] std::shared_ptr<void> keep_alive() const noexcept { return plans_; }
  void connect(std::shared_ptr<CommandRing> commands, const Lanes& lanes);

  // As Engine has them.
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top);
  Result<void> update(SaId id, const SaUpdate& update);
  Result<void> remove(SaId id);
  [[nodiscard]] Result<SaState> read(SaId id) const;
  Result<SaState> read_back(SaId id);

  [[nodiscard]] std::uint64_t installs() const noexcept { return installs_; }

 private:
  struct Installed {
    Sa* sa = nullptr;  // a copy, in arena_: for another place on the card
    abi::Block block{};
    CardPlace place;
    std::uint64_t granted = 0;  // egress: end of the last lease
    SaLimits limits;
    std::unique_ptr<std::uint64_t[]> window;
  };
  // The numbers that an SA starts with at its place on the card.
  struct Start {
    Lease lease;
    std::uint64_t window_top = 0;
  };

  Result<void> find(SaId id) const;
  Result<CardPlace> take_place(abi::Block block);
  void free_place(abi::Block block, CardPlace place);
  Result<void> load(const Sa& sa, CardPlace place, const Start& start, SaPlan& plan);
  Result<void> retire(abi::Block block, CardPlace place, SaPlan& plan);
  Result<void> change_place(SaId id, Installed& installed, const Sa& sa, const Start& start);
  Result<void> grant(SaSlot& slot, Installed& installed, SaPlan& plan, Lease lease);
  Result<void> set_peer(SaId id, SaSlot& slot, Installed& installed, const SetPeer& peer);
  Result<void> restore_window(SaId id, SaSlot& slot, Installed& installed, SaPlan& plan, const RestoreWindow& restore);
  void forget(Installed& installed) noexcept;
  Lane& lane_of(abi::Block block) noexcept;
  void wait_for_workers() const;

  const Capabilities& capabilities_;
  Reclamation reclamation_;
  std::shared_ptr<std::vector<SaPlan>> plans_;
  SaView view_;
  std::shared_ptr<CommandRing> commands_;
  Lanes lanes_;
  KeyArena arena_;
  std::vector<Installed> installed_;
  std::array<std::deque<std::uint32_t>, abi::blocks> free_;  // places; the one freed longest ago is taken first
  Generations generations_;
  std::uint64_t installs_ = 0;
};

}  // namespace linecrypt::card
