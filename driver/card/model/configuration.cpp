#include "driver/card/model/configuration.hpp"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <sstream>

namespace linecrypt::card_model {
namespace {

constexpr std::size_t socket_path_most = 107;  // sockaddr_un

// Reads one table strictly. The first problem of the whole file sticks; later reads then leave the defaults.
class Table {
 public:
  Table(const toml::table& table, std::string place, std::string& problem)
      : table_(table), place_(std::move(place)), problem_(problem) {}

  void only(std::initializer_list<std::string_view> names) {
    for (const auto& [key, value] : table_) {
      bool known = false;
      std::string allowed;
      for (const auto name : names) {
        known = known || name == key.str();
        allowed.append(allowed.empty() ? "" : ", ").append(name);
      }
      if (!known) note(value, fmt::format("'{}' is not a key here; allowed: {}", key.str(), allowed));
    }
  }

  template <typename T>
  void number(std::string_view name, T& into, std::uint64_t most = std::numeric_limits<T>::max()) {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 0 || static_cast<std::uint64_t>(*value) > most)
      return note(*node, fmt::format("'{}' must be a number from 0 to {}", name, most));
    into = static_cast<T>(*value);
  }

  void text(std::string_view name, std::string& into, std::size_t longest) {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::string>();
    if (!value || value->size() > longest)
      return note(*node, fmt::format("'{}' must be a text of at most {} characters", name, longest));
    into = *value;
  }

  void truth(std::string_view name, bool& into) {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return;
    const auto value = node->value_exact<bool>();
    if (!value) return note(*node, fmt::format("'{}' must be true or false", name));
    into = *value;
  }

  std::vector<Table> tables(std::string_view name) {
    std::vector<Table> all;
    const toml::node* node = table_.get(name);
    if (node == nullptr) return all;
    const toml::array* array = node->as_array();
    if (array == nullptr || !array->is_array_of_tables()) {
      note(*node, fmt::format("'{}' must be written as [[...{}]]", name, name));
      return all;
    }
    for (const toml::node& one : *array)
      all.emplace_back(*one.as_table(), fmt::format("{}{}[{}].", place_, name, all.size()), problem_);
    return all;
  }

  std::optional<Table> table(std::string_view name) {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return std::nullopt;
    if (!node->is_table()) {
      note(*node, fmt::format("'{}' must be a table", name));
      return std::nullopt;
    }
    return Table(*node->as_table(), fmt::format("{}{}.", place_, name), problem_);
  }

  [[nodiscard]] const toml::node* get(std::string_view name) const { return table_.get(name); }

  void note(const toml::node& node, const std::string& text) {
    if (problem_.empty()) problem_ = fmt::format("line {}: {}{}", node.source().begin.line, place_, text);
  }
  void note(const std::string& text) { note(table_, text); }

 private:
  const toml::table& table_;
  std::string place_;
  std::string& problem_;
};

void read_pci(Table table, PciIdentity& pci) {
  table.only({"address", "vendor", "device", "subsystem_vendor", "subsystem_device", "class", "driver", "link_width",
              "link_speed", "numa_node"});
  table.text("address", pci.address, 16);
  table.number("vendor", pci.vendor);
  table.number("device", pci.device);
  table.number("subsystem_vendor", pci.subsystem_vendor);
  table.number("subsystem_device", pci.subsystem_device);
  table.number("class", pci.class_code, 0xffffff);
  table.text("driver", pci.driver, 64);
  table.number("link_width", pci.link_width, 32);
  table.number("link_speed", pci.link_speed, 6);
  table.number("numa_node", pci.numa_node, 1023);
}

PortConfiguration read_port(Table table) {
  PortConfiguration port;
  table.only({"index", "attach", "plugged"});
  table.number("index", port.index, ports_most - 1);
  std::string attach;
  table.text("attach", attach, 4096);
  table.truth("plugged", port.plugged);
  const auto colon = attach.find(':');
  const std::string kind = attach.substr(0, colon);
  port.name = colon == std::string::npos ? "" : attach.substr(colon + 1);
  if (kind == "tap" || kind == "packet") {
    port.kind = kind == "tap" ? PortConfiguration::Kind::tap : PortConfiguration::Kind::packet;
    if (port.name.empty() || port.name.size() > 15)
      table.note(fmt::format("attach = \"{}\": an interface's name has 1 to 15 characters", attach));
  } else if (kind == "pcap") {
    port.kind = PortConfiguration::Kind::pcap;
    const auto comma = port.name.find(',');
    if (comma == std::string::npos)
      table.note(fmt::format("attach = \"{}\": pcap takes the file to read, a comma, the file to write", attach));
    else
      port.write = port.name.substr(comma + 1);
    port.name = port.name.substr(0, comma);
  } else if (kind == "socket") {
    port.kind = PortConfiguration::Kind::socket;
    if (port.name.empty() || port.name.size() > socket_path_most)
      table.note(fmt::format("attach = \"{}\": a socket's path has 1 to {} characters", attach, socket_path_most));
  } else {
    table.note(
        fmt::format("attach = \"{}\"; allowed: tap:<interface>, packet:<interface>, pcap:<read>,<write>, "
                    "socket:<path>",
                    attach));
  }
  return port;
}

Fault read_fault(Table table, std::mt19937_64& random) {
  Fault fault;
  table.only({"name", "at", "argument"});
  std::string name;
  table.text("name", name, 32);
  if (const auto kind = fault_named(name))
    fault.kind = *kind;
  else
    table.note(fmt::format("name = \"{}\"; allowed: {}", name, fault_names()));
  constexpr auto latest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const toml::node* at = table.get("at");
  if (at != nullptr && at->is_array()) {
    const toml::array& range = *at->as_array();
    const auto low = range.size() == 2 ? range[0].value_exact<std::int64_t>() : std::nullopt;
    const auto high = range.size() == 2 ? range[1].value_exact<std::int64_t>() : std::nullopt;
    if (!low || !high || *low < 0 || *high < *low) {
      table.note(*at, "'at' must be a cycle, or [lowest, highest]");
    } else {
      // Not std::uniform_int_distribution: its results are the library's own choice, and a seed should mean the same
      // everywhere.
      const std::uint64_t width = static_cast<std::uint64_t>(*high - *low) + 1;
      fault.at = static_cast<std::uint64_t>(*low) + random() % width;
    }
  } else {
    table.number("at", fault.at, latest);
  }
  table.number("argument", fault.argument, latest);
  return fault;
}

CardConfiguration read_card(Table table, std::mt19937_64& random) {
  CardConfiguration card;
  table.only({"name", "bank_mib", "slow", "pci", "port", "fault"});
  table.text("name", card.name, 63);
  std::uint64_t mib = 0;
  table.number("bank_mib", mib, 1U << 20U);
  card.bank_bytes = mib << 20U;
  table.number("slow", card.slow, std::numeric_limits<std::uint32_t>::max());
  if (auto pci = table.table("pci")) read_pci(*pci, card.pci);
  std::set<std::uint32_t> seen;
  for (const Table& port : table.tables("port")) {
    card.ports.push_back(read_port(port));
    if (!seen.insert(card.ports.back().index).second)
      table.note(fmt::format("port {} is there twice", card.ports.back().index));
  }
  for (const Table& fault : table.tables("fault")) card.faults.push_back(read_fault(fault, random));
  return card;
}

}  // namespace

Result<Configuration> read_configuration(std::string_view text, const std::string& file) {
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Error{fmt::format("{}: line {}: {}", file, error.source().begin.line, error.description())};
  }
  Configuration all;
  std::string problem;
  Table table(root, "", problem);
  table.only({"seed", "log", "card"});
  table.number("seed", all.seed, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  std::string log = "error";
  table.text("log", log, 16);
  if (log != "error" && log != "info") table.note(fmt::format("log = \"{}\"; allowed: error, info", log));
  all.log = log == "info" ? LogLevel::info : LogLevel::error;
  if (table.get("card") != nullptr) {
    std::mt19937_64 random(all.seed);
    all.cards.clear();
    for (const Table& card : table.tables("card")) all.cards.push_back(read_card(card, random));
    if (all.cards.size() > cards_most)
      table.note(fmt::format("{} cards; at most {} are allowed", all.cards.size(), cards_most));
  }
  if (!problem.empty()) return Error{fmt::format("{}: {}", file, problem)};
  return all;
}

Result<Configuration> configuration_of_environment() {
  const char* file = std::getenv("LINECRYPT_MODEL");
  if (file == nullptr || *file == '\0') return Configuration{};
  std::ifstream stream(file);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) return Error{fmt::format("{} (LINECRYPT_MODEL): cannot be read", file)};
  return read_configuration(text.str(), file);
}

}  // namespace linecrypt::card_model
