// The state of a card engine in the words of the failover engine.
#pragma once

#include <string>

#include "driver/card/engine/card_engine.hpp"
#include "host/engines/engine_health.hpp"

namespace linecrypt::card_test {

struct CardHealth final : engines::EngineHealth {
  [[nodiscard]] engines::EngineState state() const noexcept override {
    switch (card->state()) {
      case card::CardState::ready:
        return engines::EngineState::ready;
      case card::CardState::opening:
        return engines::EngineState::recovering;
      default:
        return engines::EngineState::lost;
    }
  }
  [[nodiscard]] std::string reason() const override { return card->snapshot().reason; }
  void try_recover() override { card->start_recovery(); }
  std::optional<Result<void>> self_test_step() override { return card->self_test_step(); }
  card::CardEngine* card = nullptr;  // set before use
};

}  // namespace linecrypt::card_test
