#include "host/gateway/engine_choice.hpp"

#include <fmt/format.h>

#include <utility>

#include "host/software/engine.hpp"

namespace linecrypt::gateway {

namespace {

software::ProviderChoice provider_of(config::AeadChoice choice) {
  constexpr software::ProviderChoice choices[] = {software::ProviderChoice::automatic, software::ProviderChoice::vaes,
                                                  software::ProviderChoice::ipsec_mb,
                                                  software::ProviderChoice::openssl};
  return choices[static_cast<std::size_t>(choice)];
}

card::CardOptions options_of(const config::Card& card) {
  card::CardOptions options;
  options.bdf = card.address;
  options.device = card.index;
  options.xclbin = card.bitstream;
  options.mode = card.mode;
  options.trusted_keys = card.trusted_keys;
  options.allow_shared_node = card.allow_shared_node;
  return options;
}

// The gateway's frames come from its own ports and go through the card and back. A card between two ports of its own
// would need those ports here as well, or a failover could not carry its traffic.
Result<std::unique_ptr<card::CardEngine>> open_card(const config::Config& config, const MakeCard& make_card) {
  if (!config.card) return Error{"no [card] section names one"};
  auto made = make_card(options_of(*config.card));
  if (!made) return made.error();
  const card::CardSnapshot snapshot = (*made)->snapshot();
  if ((snapshot.features & abi::feature::look_aside) == 0)
    return Error{fmt::format(
        "{}: its bitstream works between the card's own ports only (bump-in-the-wire), which this gateway does not "
        "drive; allowed: a look-aside bitstream",
        config.card->bitstream)};
  return made;
}

// How many SAs there may be. Where the file does not say, as many as the card has room for: it is what a person who has
// a card wants. Those of the file that are beyond live in software, or there is no such place.
Result<void> make_room(const config::Config& config, std::uint32_t room, EngineChoice& choice) {
  const bool asked = config.gateway.max_sas.has_value();
  choice.max_sas = config::places_for_sas(config, room);
  if (choice.max_sas <= room) return {};
  const std::string what =
      asked ? fmt::format("max_sas = {}", choice.max_sas) : fmt::format("the file has {} SAs", choice.max_sas);
  if (config.gateway.offload == OffloadMode::card)
    return Error{fmt::format(
        "gateway: {} and the card has room for {}; allowed with offload = \"card\": at most {}{}, or offload = "
        "\"auto\", which keeps those beyond in software",
        what, room, room, asked ? ", or no max_sas" : "")};
  choice.room = fmt::format("{} and the card has room for {}: SAs beyond that stay in software", what, room);
  return {};
}

}  // namespace

engines::EngineState CardHealthView::state() const noexcept {
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

std::string CardHealthView::reason() const {
  return card_.snapshot().reason;
}

Result<EngineChoice> choose_engine(const config::Config& config, const MakeCard& make_card) {
  const OffloadMode mode = config.gateway.offload;
  EngineChoice choice;
  // 1. The card.
  std::unique_ptr<card::CardEngine> card;
  if (mode != OffloadMode::software) {
    auto opened = open_card(config, make_card);
    if (!opened && mode == OffloadMode::card)
      return Error{fmt::format("gateway: offload = \"card\" and there is none to use: {}", opened.error().message)};
    if (opened)
      card = std::move(opened).value();
    else
      choice.fallback = opened.error().message;
  }
  // 2. Software, alone or behind it.
  std::unique_ptr<Engine> software;
  if (mode != OffloadMode::card) {
    auto made = software::make_software_engine({provider_of(config.gateway.aead)});
    if (!made) return Error{fmt::format("gateway: software engine: {}", made.error().message)};
    software = std::move(made).value();
  }
  if (card == nullptr) {
    choice.engine = std::move(software);
    choice.max_sas = config::places_for_sas(config);
    return choice;
  }
  if (auto fits = make_room(config, card->capabilities().max_sas, choice); !fits) return fits.error();
  // 3. Both.
  choice.card = card.get();
  choice.health = std::make_unique<CardHealthView>(*card);
  auto failover = engines::make_failover_engine(std::move(card), *choice.health, std::move(software));
  choice.failover = failover.get();
  choice.engine = std::move(failover);
  return choice;
}

}  // namespace linecrypt::gateway
