#include "host/gateway/api/self_test.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "host/gateway/api/card_view.hpp"

namespace linecrypt::gateway::api {

using nlohmann::json;

namespace {

std::string reason_of(const Result<void>& tested) {
  return tested ? std::string() : tested.error().message;
}

void note(Runtime& runtime, const Result<void>& tested) {
  runtime.self_test = {tested.ok(), reason_of(tested), std::chrono::system_clock::now()};
}

}  // namespace

// What falls back is tested at once; a card that is being brought back is tested by that.
Result<void> begin_self_test(Runtime& runtime) {
  engines::FailoverEngine* const failover = runtime.engine_choice.failover;
  if (failover == nullptr) {
    note(runtime, runtime.engine->self_test());
    return {};
  }
  if (failover->status().use == engines::PrimaryUse::recovering)
    static_cast<void>(failover->primary_test());  // of an asker who did not wait
  else if (auto begun = failover->begin_primary_test(); !begun)
    return begun;
  note(runtime, failover->test_secondary());
  return {};
}

// A card that fails is left (DESIGN 3.8): what works behind it decides whether the gateway passed.
std::optional<json> self_test_result(Runtime& runtime) {
  engines::FailoverEngine* const failover = runtime.engine_choice.failover;
  if (failover != nullptr) {
    if (failover->testing_primary()) return std::nullopt;
    const auto tested = failover->primary_test();
    if (tested && !*tested && failover->status().secondary.empty()) note(runtime, *tested);
  }
  const Capabilities& capabilities = runtime.engine->capabilities();
  return json{{"engine", capabilities.engine},
              {"provider", capabilities.provider},
              {"passed", runtime.self_test.passed},
              {"error", runtime.self_test.error}};
}

Result<void> begin_card_test(Runtime& runtime) {
  if (auto reach = within_reach(runtime); !reach) return reach;
  return runtime.engine_choice.failover->begin_primary_test();
}

std::optional<json> card_test_result(Runtime& runtime) {
  const auto tested = runtime.engine_choice.failover->primary_test();
  if (!tested) return std::nullopt;
  return json{{"where", "daemon"}, {"passed", tested->ok()}, {"reason", reason_of(*tested)}};
}

}  // namespace linecrypt::gateway::api
