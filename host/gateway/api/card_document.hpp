// A card as JSON: the same document where a gateway tells of its card and where linecryptctl opens one itself.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "driver/card/engine/card_engine.hpp"

namespace linecrypt::gateway::api {

template <class Json>
Json card_document(const card::CardSnapshot& s) {
  const auto direction = [](const card::CardSnapshot::Direction& d) {
    return Json{{"batches", d.batches}, {"jobs", d.jobs}, {"bytes", d.bytes}, {"in_flight", d.in_flight}};
  };
  return {{"state", card::name(s.state)},
          {"reason", s.reason},
          {"name", s.name},
          {"address", s.bdf},
          {"bitstream_uuid", s.xclbin_uuid},
          {"abi", fmt::format("{}.{}", s.abi_version >> 16U, s.abi_version & 0xffffU)},
          {"mode", card::name(s.mode)},
          {"sas", s.sa_count},
          {"emulated", s.emulated},
          {"note", s.note},
          {"sessions", s.sessions},
          {"losses", s.losses},
          {"lost_jobs", s.lost_jobs},
          {"events", s.card_events},
          {"events_dropped", s.card_events_dropped},
          {"egress", direction(s.direction[0])},
          {"ingress", direction(s.direction[1])}};
}

// XRT answers in JSON where it answers at all; null: not told by this card.
template <class Json>
Json health_part(const std::string& text) {
  if (text.empty()) return nullptr;
  Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_discarded() ? Json(text) : parsed;
}

template <class Json>
Json health_document(const card::CardHealth& health) {
  return {{"reachable", health.reachable},
          {"thermal", health_part<Json>(health.thermal)},
          {"electrical", health_part<Json>(health.electrical)},
          {"memory", health_part<Json>(health.memory)},
          {"pcie", health_part<Json>(health.pcie_info)},
          {"numa_node", health.numa_node < 0 ? Json(nullptr) : Json(health.numa_node)},
          {"offline", health.offline}};
}

template <class Json>
Json registers_document(const std::vector<card::RegisterValue>& registers) {
  Json list = Json::array();
  for (const card::RegisterValue& one : registers)
    list.push_back({{"name", one.name}, {"offset", one.offset}, {"value", one.value}});
  return list;
}

}  // namespace linecrypt::gateway::api
