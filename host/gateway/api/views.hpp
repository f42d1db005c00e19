// Views: the running gateway as JSON. Field by field in README.md. Control thread; no key material.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "host/gateway/runtime.hpp"

namespace linecrypt::gateway::api {

[[nodiscard]] nlohmann::json view_status(const Runtime& runtime);
[[nodiscard]] nlohmann::json view_sas(const Runtime& runtime);
[[nodiscard]] nlohmann::json view_policies(const Runtime& runtime);
[[nodiscard]] nlohmann::json view_ports(Runtime& runtime);
[[nodiscard]] nlohmann::json view_counters(Runtime& runtime);
[[nodiscard]] nlohmann::json view_live(Runtime& runtime);

}  // namespace linecrypt::gateway::api
