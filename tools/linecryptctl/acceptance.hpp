// The acceptance suite of `linecryptctl card accept`: the card against the software engine, packet for packet. For the
// first person with a real card, and on the emulated card for its own test.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "driver/card/engine/card_engine.hpp"

namespace linecrypt::ctl {

struct AcceptanceOptions {
  bool whole = false;             // each length 64..9216 instead of a choice
  std::uint32_t packets = 20000;  // of each throughput measurement
  std::uint32_t installs = 2000;  // of the rate of installing SAs
};

enum class AcceptanceResult : std::uint8_t { passed, failed, not_run };

struct AcceptanceCheck {
  std::string name;
  AcceptanceResult result = AcceptanceResult::failed;
  std::string detail;  // what was seen: counts, or the first difference; why it was not run
};

// Runs every check the card's capabilities allow, the others are `not_run`; `progress` hears each result as it comes.
// The card is closed before and afterwards.
std::vector<AcceptanceCheck> accept_card(card::CardEngine& card, const AcceptanceOptions& options,
                                         const std::function<void(const AcceptanceCheck&)>& progress);

}  // namespace linecrypt::ctl
