// The emulated card as one more engine for every test of behaviour, through the real libxrt_coreutil. It is there where
// the environment leads XRT to it (CTest's tests named *_card, or emulated_card/run) and LINECRYPT_BITSTREAMS names the
// folder with its bitstreams. LINECRYPT_ENGINES=card: this engine alone.
#pragma once

#include <cstdint>
#include <memory>

#include "driver/card/engine/card_engine.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::test {

[[nodiscard]] bool emulated_card_here();
[[nodiscard]] bool only_card();

// Of the card whose bitstream does both protocols.
[[nodiscard]] card::CardOptions emulated_card_options();

// Closed. The test fails if it cannot be had.
[[nodiscard]] std::unique_ptr<Engine> make_emulated_card();

// Ends the test case, as passed, where the engine says that it does not do `sa` (Capabilities): never by its name.
void skip_unless_able(const Engine& engine, const Sa& sa);
[[nodiscard]] bool able(const Engine& engine, const Sa& sa);

}  // namespace linecrypt::test
