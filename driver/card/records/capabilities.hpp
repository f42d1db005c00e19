// What a card of a mode does, as data: check() refuses the rest by name.
#pragma once

#include <cstdint>

#include "linecrypt/abi/registers.hpp"
#include "linecrypt/capabilities.hpp"

namespace linecrypt::card {

// `sa_count`: SAs per block (register sa_count). Slot indexes are below it.
[[nodiscard]] Capabilities card_capabilities(abi::CardMode mode, std::uint32_t sa_count);

}  // namespace linecrypt::card
