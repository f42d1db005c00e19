// The cards of this process.
#pragma once

#include <memory>
#include <vector>

#include "driver/card/model/card.hpp"

namespace linecrypt::card_model {

// Made at first use from the configuration; none when that is refused (with a log line). Never destroyed: XRT closes
// devices while the process ends.
std::vector<std::unique_ptr<Card>>& cards();

// Null: not configured.
Card* card_at(unsigned index);

// Ends the cards' threads when the process ends, before what was loaded so far is torn down. To be called after each
// load.
void stop_at_exit();

}  // namespace linecrypt::card_model
