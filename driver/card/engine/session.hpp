// Session: how a card is taken into use and left. Opening assumes nothing: fabric and card memory outlive a process,
// and XRT does not load a bitstream that is there already.
#pragma once

#include <cstdint>
#include <memory>

#include "driver/card/engine/card_port.hpp"
#include "driver/card/engine/command_ring.hpp"
#include "driver/card/engine/sa_table.hpp"

namespace linecrypt::card {

// What the card's registers say of it.
struct CardFacts {
  std::uint32_t abi_version = 0;
  abi::CardMode mode = abi::CardMode::none;
  std::uint32_t features = 0;
  std::uint32_t sa_count = 0;
  [[nodiscard]] bool emulated() const noexcept { return (features & abi::feature::modelled) != 0; }
  // Without progress for so long it is lost, where the options do not say. An emulated card's clock is not ours.
  [[nodiscard]] std::uint64_t progress_limit_ns() const noexcept { return emulated() ? 10'000'000'000 : 200'000'000; }
};

// Is it a card of ours, of our ABI, and can it do what is asked? Starts the control kernel where it does not run.
Result<CardFacts> read_facts(CardPort& port, abi::CardMode wanted);

// Stops the card and sweeps every table and ring; returns once the card has confirmed it.
Result<void> reset_card(CardPort& port, Patience patience);

// The pieces of it, for a card whose work does not come by lanes. Begins: epoch and enable; the rings were placed.
void write64(CardPort& port, std::uint32_t offset, std::uint64_t value);
void place_command_rings(CardPort& port, const CommandRing& commands);
Result<void> begin_session(CardPort& port, std::uint32_t epoch, Patience patience);
// Takes no more work; what is inside is finished. begin_session() with the same epoch goes on.
Result<void> halt_card(CardPort& port, Patience patience);
// 32 random bits that name a session.
[[nodiscard]] std::uint32_t random_epoch(const EpochSource& source, const Clock& clock);

// Registers, epoch, enable. The card was reset.
Result<void> enable_card(CardPort& port, std::uint32_t epoch, const CommandRing& commands, const Lanes& lanes,
                         Patience patience);

}  // namespace linecrypt::card
