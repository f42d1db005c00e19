#include "driver/card/model/cards.hpp"

#include <cstdlib>

namespace linecrypt::card_model {

std::vector<std::unique_ptr<Card>>& cards() {
  static auto* all = [] {
    auto* made = new std::vector<std::unique_ptr<Card>>;
    auto configuration = configuration_of_environment();
    if (!configuration) {
      log_error("{}; there is no card", configuration.error().message);
      return made;
    }
    log_level() = configuration->log;
    for (unsigned index = 0; index < configuration->cards.size(); ++index)
      made->push_back(std::make_unique<Card>(index, configuration->cards[index], configuration->seed + index));
    return made;
  }();
  return *all;
}

Card* card_at(unsigned index) {
  return index < cards().size() ? cards()[index].get() : nullptr;
}

void stop_at_exit() {
  std::atexit([] {
    for (const auto& card : cards()) card->stop();
  });
}

}  // namespace linecrypt::card_model
