// The control kernel's registers by name, for fault reports. No register holds key material.
#pragma once

#include <vector>

#include "driver/card/engine/card_engine.hpp"
#include "driver/card/engine/card_port.hpp"

namespace linecrypt::card {

// Every register of the card, as it reads now; abi::lost_value where the card is gone. Reading one changes nothing.
[[nodiscard]] std::vector<RegisterValue> read_registers(CardPort& port);

}  // namespace linecrypt::card
