// Which engine does the work (DESIGN 2, offload mode): software, a card with software behind it, or a card alone.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "driver/card/engine/card_engine.hpp"
#include "host/config/config.hpp"
#include "host/engines/failover.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::gateway {

// A card and its health, as a failover engine wants them.
class CardHealthView final : public engines::EngineHealth {
 public:
  explicit CardHealthView(card::CardEngine& card) : card_(card) {}
  [[nodiscard]] engines::EngineState state() const noexcept override;
  [[nodiscard]] std::string reason() const override;
  void try_recover() override { card_.start_recovery(); }
  std::optional<Result<void>> self_test_step() override { return card_.self_test_step(); }

 private:
  card::CardEngine& card_;
};

struct EngineChoice {
  std::unique_ptr<CardHealthView> health;       // outlives the engine
  std::unique_ptr<Engine> engine;               // closed, its self-test not run
  engines::FailoverEngine* failover = nullptr;  // the engine, where a card is in it
  card::CardEngine* card = nullptr;             // inside it
  std::string fallback;                         // why `auto` works without its card; empty: it does not
  std::uint32_t max_sas = 0;                    // slots to ask the engine for
  std::string room;                             // that not all of them have room on the card; empty: they have
};

using MakeCard = std::function<Result<std::unique_ptr<card::CardEngine>>(const card::CardOptions&)>;

// software: never a card. auto: the card over software, or, where there is no usable card, software alone and why.
// card: the card or an error; what it loses stands still until it is back.
Result<EngineChoice> choose_engine(const config::Config& config, const MakeCard& make_card = card::make_card_engine);

}  // namespace linecrypt::gateway
