// A card's documents as tables for people.
#include <fmt/format.h>

#include "tools/linecryptctl/card_documents.hpp"
#include "tools/linecryptctl/client.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

constexpr const char* not_reported = "not reported by this card";

// XRT's documents are lists of things of which each tells whether the card has it ("is_present", as text) and what is
// read there: {"description": "FPGA", "temp_C": "41", "is_present": "true"}, or a level deeper for what has several
// readings ({"description": "12 Volts PCI Express", "voltage": {"volts": ..}, "current": {"amps": ..}}).
bool is_present(const Json& object) {
  const auto found = object.find("is_present");
  if (found == object.end()) return false;
  return found->is_boolean() ? found->get<bool>() : found->is_string() && found->get<std::string>() == "true";
}

std::string label_of(const Json& object, const std::string& from_above) {
  for (const char* name : {"description", "type", "tag", "name", "id", "location_id"})
    if (const auto found = object.find(name); found != object.end() && found->is_string() && !found->empty())
      return found->get<std::string>();
  return from_above;
}

std::string unit_of(const std::string& key) {
  if (key == "temp_C") return " C";
  if (key == "volts") return " V";
  if (key == "amps") return " A";
  if (key == "watts") return " W";
  return {};
}

// What is read at one place: every value but its names.
std::string readings(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    if (key == "is_present" || key == "error_msg" || key == "description" || key == "id" || key == "location_id" ||
        key == "name" || key == "type" || key == "tag" || value.is_structured() || value.is_null())
      continue;
    const std::string unit = unit_of(key);
    if (!text.empty()) text += ", ";
    text += unit.empty() ? fmt::format("{} {}", key, field(object, key.c_str())) : field(object, key.c_str()) + unit;
  }
  return text;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

void collect(const Json& value, const std::string& label, Rows& rows) {
  if (value.is_array()) {
    for (const Json& one : value) collect(one, label, rows);
    return;
  }
  if (!value.is_object()) return;
  const std::string here = label_of(value, label);
  if (is_present(value)) {
    if (const std::string text = readings(value); !text.empty()) rows.emplace_back(here, text);
  }
  for (const auto& [key, inner] : value.items())
    if (inner.is_structured()) collect(inner, here, rows);
}

std::string card_text(const Json& document) {
  const Json& card = part(document, "card");
  const Json& use = part(document, "use");
  const Json& health = part(document, "health");
  Table table({{"CARD"}, {field(card, "name")}});
  for (const char* name : {"state", "reason", "address", "bitstream_uuid", "abi", "mode", "sas", "emulated", "note",
                           "sessions", "losses", "lost_jobs", "events", "events_dropped"})
    if (card.contains(name) && field(card, name) != "") table.add({name, field(card, name)});
  if (!use.empty()) {
    table.add({"the gateway", fmt::format("{}{}", field(use, "state"),
                                          field(use, "reason").empty() ? "" : ": " + field(use, "reason"))});
    table.add({"its SAs", fmt::format("{} on the card, {} in software, {} on the way", field(use, "sas_on_card"),
                                      field(use, "sas_in_software"), field(use, "sas_moving"))});
  }
  if (health.empty()) return table.text();
  table.add({"registers answer", field(health, "reachable")});
  for (const char* name : {"thermal", "electrical", "memory", "pcie"}) {
    Rows rows;
    collect(part(health, name), name, rows);
    if (rows.empty()) table.add({name, not_reported});
    for (const auto& [label, text] : rows) table.add({fmt::format("{}: {}", name, label), text});
  }
  const std::string node = field(health, "numa_node");
  table.add({"NUMA node", node == "-" ? not_reported : node});
  if (const std::string offline = field(health, "offline"); !offline.empty() && offline != "-")
    table.add({"offline", offline});
  return table.text();
}

}  // namespace

void show_card(const Session& session, const Json& document) {
  if (session.json)
    session.print(document);
  else
    session.say(card_text(document));
}

Exit show_card_registers(const Session& session, const Json& document) {
  if (session.json) {
    session.print(document);
    return Exit::ok;
  }
  Table table({{"REGISTER"}, {"OFFSET", Align::right}, {"VALUE", Align::right}});
  for (const Json& one : part(document, "registers"))
    table.add({field(one, "name"), fmt::format("{:#06x}", one.value("offset", 0U)),
               fmt::format("{:#010x}", one.value("value", 0U))});
  session.say(table.text());
  return Exit::ok;
}

Exit show_card_selftest(const Session& session, const Json& document) {
  const bool passed = is_true(document, "passed");
  if (session.json) session.print(document);
  session.say(passed ? "the card gives every known answer" : "the card fails: " + field(document, "reason"));
  return passed ? Exit::ok : Exit::failed;
}

}  // namespace linecrypt::ctl
