#include "driver/dpdk/common/engine_choice.hpp"

#include <fmt/format.h>

#include "driver/dpdk/common/host_engine.hpp"

namespace linecrypt::dpdk {
namespace {

// The card's state as a failover engine asks for it.
class CardHealth final : public engines::EngineHealth {
 public:
  explicit CardHealth(card::CardEngine& card) : card_(card) {}
  [[nodiscard]] engines::EngineState state() const noexcept override {
    switch (card_.state()) {
      case card::CardState::ready:
        return engines::EngineState::ready;
      case card::CardState::opening:
        return engines::EngineState::recovering;
      case card::CardState::closed:
      case card::CardState::lost:
        break;
    }
    return engines::EngineState::lost;
  }
  [[nodiscard]] std::string reason() const override { return card_.snapshot().reason; }
  void try_recover() override { card_.start_recovery(); }
  std::optional<Result<void>> self_test_step() override { return card_.self_test_step(); }

 private:
  card::CardEngine& card_;
};

Result<std::unique_ptr<card::CardEngine>> open_card(const DriverOptions& options) {
  card::CardOptions card;
  card.bdf = options.card;
  card.device = options.device;
  card.xclbin = options.xclbin;
  card.trusted_keys = options.trusted_keys;
  card.allow_shared_node = options.shared_node;
  auto made = card::make_card_engine(card);
  if (!made) return made.error();
  if (((*made)->snapshot().features & abi::feature::look_aside) == 0)
    return Error{fmt::format(
        "{}: its bitstream works between the card's own ports only; allowed: a look-aside bitstream", options.xclbin)};
  return made;
}

}  // namespace

Result<EngineChoice> choose_engine(const DriverOptions& options) {
  EngineChoice choice;
  // 1. The card.
  std::unique_ptr<card::CardEngine> card;
  if (options.engine != OffloadMode::software) {
    auto opened = open_card(options);
    if (!opened && options.engine == OffloadMode::card)
      return Error{fmt::format("engine=card and there is none to use: {}", opened.error().message)};
    if (opened)
      card = std::move(opened).value();
    else
      choice.fallback = opened.error().message;
  }
  // 2. Software, alone or behind it.
  std::unique_ptr<Engine> host;
  if (options.engine != OffloadMode::card) {
    auto made = make_host_engine(options.provider);
    if (!made) return Error{fmt::format("software engine: {}", made.error().message)};
    host = std::move(made).value();
  }
  if (card == nullptr) {
    choice.engine = std::move(host);
    return choice;
  }
  // 3. Both, or the card alone: what it loses stands still until it is back.
  choice.card = card.get();
  choice.health = std::make_unique<CardHealth>(*card);
  auto failover = engines::make_failover_engine(std::move(card), *choice.health, std::move(host));
  choice.failover = failover.get();
  choice.engine = std::move(failover);
  if (auto tested = choice.engine->self_test(); !tested)
    return Error{fmt::format("self-test: {}", tested.error().message)};
  return choice;
}

}  // namespace linecrypt::dpdk
