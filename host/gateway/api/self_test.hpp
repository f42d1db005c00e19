// Self-tests that somebody asks for while the gateway works. A card takes its known answers a step a turn of the
// control thread, beside traffic and leases; so each has a beginning and a result. Control thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "host/gateway/runtime.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway::api {

// Of the engine as a whole: software at once, and its card. An error: one goes on already.
Result<void> begin_self_test(Runtime& runtime);
[[nodiscard]] std::optional<nlohmann::json> self_test_result(Runtime& runtime);

// Of the card alone. An error also where there is none, or it is being brought back.
Result<void> begin_card_test(Runtime& runtime);
[[nodiscard]] std::optional<nlohmann::json> card_test_result(Runtime& runtime);

}  // namespace linecrypt::gateway::api
