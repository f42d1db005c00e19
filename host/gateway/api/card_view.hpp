// The gateway's card: what it tells of itself, and what may be asked of it while it works. Control thread; no key
// material.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "host/gateway/runtime.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway::api {

// An error: why there is no card to ask; or that it is being brought back.
[[nodiscard]] Result<void> has_card(const Runtime& runtime);
[[nodiscard]] Result<void> within_reach(const Runtime& runtime);

// An error: this gateway has no card, or it is out of reach until a recovery is over.
[[nodiscard]] Result<nlohmann::json> view_card(Runtime& runtime);
[[nodiscard]] Result<nlohmann::json> view_card_registers(Runtime& runtime);
// Its SAs leave the card, it is reset, tested and used again. Returns at once: view_card() tells how it goes.
[[nodiscard]] Result<nlohmann::json> reset_card(Runtime& runtime);

}  // namespace linecrypt::gateway::api
