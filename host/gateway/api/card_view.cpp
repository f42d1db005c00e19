#include "host/gateway/api/card_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/gateway/api/card_document.hpp"

namespace linecrypt::gateway::api {

namespace {

using nlohmann::json;

json use_of(const engines::FailoverStatus& status) {
  return {{"state", engines::name(status.use)}, {"reason", status.reason},
          {"renewals", status.renewals},        {"returns", status.returns},
          {"sas_on_card", status.sas_primary},  {"sas_in_software", status.sas_secondary},
          {"sas_moving", status.sas_moving},    {"sas_nowhere", status.sas_nowhere}};
}

}  // namespace

Result<void> has_card(const Runtime& runtime) {
  const EngineChoice& choice = runtime.engine_choice;
  if (choice.card != nullptr && choice.failover != nullptr) return {};
  return Error{choice.fallback.empty() ? "this gateway has no card: offload = \"software\""
                                       : "this gateway works without its card: " + choice.fallback};
}

// While it is brought back other threads work with it (EngineHealth).
bool out_of_reach(const Runtime& runtime) {
  return runtime.engine_choice.failover->status().use == engines::PrimaryUse::recovering;
}

Result<void> within_reach(const Runtime& runtime) {
  if (auto has = has_card(runtime); !has) return has;
  if (out_of_reach(runtime)) return Error{"the card is being reset and tested; ask again in a moment"};
  return {};
}

Result<json> view_card(Runtime& runtime) {
  if (auto has = has_card(runtime); !has) return has.error();
  json document{{"where", "daemon"}, {"use", use_of(runtime.engine_choice.failover->status())}};
  if (out_of_reach(runtime)) {
    document["card"] = {{"state", card::name(runtime.engine_choice.card->state())}};
    document["health"] = nullptr;
    return document;
  }
  document["card"] = card_document<json>(runtime.engine_choice.card->snapshot());
  document["health"] = health_document<json>(runtime.engine_choice.card->health());
  return document;
}

Result<json> view_card_registers(Runtime& runtime) {
  if (auto reach = within_reach(runtime); !reach) return reach.error();
  return json{{"where", "daemon"}, {"registers", registers_document<json>(runtime.engine_choice.card->registers())}};
}

Result<json> reset_card(Runtime& runtime) {
  if (auto has = has_card(runtime); !has) return has.error();
  if (auto begun = runtime.engine_choice.failover->renew_primary(); !begun) return begun.error();
  return json{{"where", "daemon"}, {"use", use_of(runtime.engine_choice.failover->status())}};
}

}  // namespace linecrypt::gateway::api
