#include "driver/dpdk/common/devargs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace linecrypt::dpdk {
namespace {

DriverOptions& of(void* options) {
  return *static_cast<DriverOptions*>(options);
}

// Sets `target` to the value of the name that `text` is.
template <typename T>
bool one_of(std::string_view text, std::initializer_list<std::pair<std::string_view, T>> names, T& target) {
  for (const auto& [name, value] : names) {
    if (name != text) continue;
    target = value;
    return true;
  }
  return false;
}

bool number32(std::string_view text, std::uint64_t least, std::uint64_t most, std::uint32_t& target) {
  std::uint64_t value = 0;
  if (!parse_number(text, least, most, value)) return false;
  target = static_cast<std::uint32_t>(value);
  return true;
}

bool set_engine(void* options, std::string_view value) {
  return one_of(value,
                {{"software", OffloadMode::software}, {"auto", OffloadMode::automatic}, {"card", OffloadMode::card}},
                of(options).engine);
}

bool set_card(void* options, std::string_view value) {
  if (number32(value, 0, 63, of(options).device)) return true;
  // 0000:65:00.1
  if (value.size() != 12 || value[4] != ':' || value[7] != ':' || value[10] != '.') return false;
  if (value.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return false;
  of(options).card = value;
  return true;
}

bool set_provider(void* options, std::string_view value) {
  using software::ProviderChoice;
  return one_of(value,
                {{"automatic", ProviderChoice::automatic},
                 {"vaes", ProviderChoice::vaes},
                 {"ipsec_mb", ProviderChoice::ipsec_mb},
                 {"openssl", ProviderChoice::openssl}},
                of(options).provider);
}

bool set_socket(void* options, std::string_view value) {
  std::uint32_t socket = 0;
  if (!number32(value, 0, 31, socket)) return false;
  of(options).socket = static_cast<int>(socket);
  return true;
}

bool set_path(std::string_view value, std::string& path) {
  if (value.empty() || value.front() != '/') return false;
  path = value;
  return true;
}

constexpr DevargKey keys[] = {
    {"engine", "software, auto, card", set_engine},
    {"card", "a PCI address like 0000:65:00.1, or a number from 0 to 63", set_card},
    {"xclbin", "an absolute path", [](void* o, std::string_view v) { return set_path(v, of(o).xclbin); }},
    {"trusted_keys", "an absolute path of a folder",
     [](void* o, std::string_view v) { return set_path(v, of(o).trusted_keys); }},
    {"shared_node", "refuse, allow",
     [](void* o, std::string_view v) {
       return one_of(v, {{"refuse", false}, {"allow", true}}, of(o).shared_node);
     }},
    {"queues", "1 to 64", [](void* o, std::string_view v) { return number32(v, 1, 64, of(o).queues); }},
    {"max_sas", "1 to 1048576", [](void* o, std::string_view v) { return number32(v, 1, 1048576, of(o).max_sas); }},
    {"provider", "automatic, vaes, ipsec_mb, openssl", set_provider},
    {"key_reuse", "refuse, allow (for test suites only)",
     [](void* o, std::string_view v) {
       return one_of(v, {{"refuse", KeyReuse::refuse}, {"allow", KeyReuse::allow}}, of(o).key_reuse);
     }},
    {"test_iv", "0, 1 (for test suites only)",
     [](void* o, std::string_view v) {
       return one_of(v, {{"0", false}, {"1", true}}, of(o).test_iv);
     }},
    {"reserved_spi", "refuse, allow",
     [](void* o, std::string_view v) {
       return one_of(v, {{"refuse", false}, {"allow", true}}, of(o).reserved_spi);
     }},
    {"test_dec_ttl", "0, 1 (for test suites only)",
     [](void* o, std::string_view v) {
       return one_of(v, {{"0", false}, {"1", true}}, of(o).test_dec_ttl);
     }},
    {"inner_ip_csum", "keep, write, carry",
     [](void* o, std::string_view v) {
       return one_of(
           v, {{"keep", InnerIpChecksum::keep}, {"write", InnerIpChecksum::write}, {"carry", InnerIpChecksum::carry}},
           of(o).inner_ip_csum);
     }},
    {"socket_id", "0 to 31", set_socket},
};

const DevargTable* table_of(std::span<const DevargTable> tables, std::string_view key, const DevargKey*& found) {
  for (const DevargTable& table : tables)
    for (const DevargKey& one : table.keys)
      if (one.key == key) {
        found = &one;
        return &table;
      }
  return nullptr;
}

std::string all_keys(std::span<const DevargTable> tables) {
  std::string names;
  for (const DevargTable& table : tables)
    for (const DevargKey& one : table.keys) names += fmt::format("{}{}", names.empty() ? "" : ", ", one.key);
  return names;
}

// Where the first pair ends: at a comma that stands in no parentheses (lower=dev(net_tap0,iface=dtap0)).
Result<std::size_t> end_of_pair(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && depth == 0) return i;
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && depth-- == 0)
      return Error{fmt::format("devargs: \"{}\": a ) without its (", text.substr(0, i + 1))};
  }
  if (depth != 0) return Error{fmt::format("devargs: \"{}\": a ( without its )", text)};
  return text.size();
}

}  // namespace

std::span<const DevargKey> common_devargs() {
  return keys;
}

bool parse_number(std::string_view text, std::uint64_t least, std::uint64_t most, std::uint64_t& value) {
  const char* const end = text.data() + text.size();
  std::uint64_t number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end || number < least || number > most) return false;
  value = number;
  return true;
}

Result<void> parse_devargs(std::string_view text, std::span<const DevargTable> tables) {
  std::vector<std::string_view> seen;
  while (!text.empty()) {
    auto comma = end_of_pair(text);
    if (!comma) return comma.error();
    const std::string_view pair = text.substr(0, *comma);
    text.remove_prefix(std::min(*comma + 1, text.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      return Error{fmt::format("devargs: \"{}\", allowed: key=value pairs with commas between", pair)};
    const std::string_view key = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    const DevargKey* found = nullptr;
    const DevargTable* const table = table_of(tables, key, found);
    if (table == nullptr) return Error{fmt::format("devargs: unknown key {}; allowed: {}", key, all_keys(tables))};
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      return Error{fmt::format("devargs: {} is given twice", key)};
    seen.push_back(key);
    if (!found->set(table->options, value))
      return Error{fmt::format("devargs: {}={}; allowed: {}", key, value, found->allowed)};
  }
  return {};
}

Result<void> check_options(const DriverOptions& options) {
  if (options.engine == OffloadMode::software) {
    if (!options.card.empty() || options.device != 0)
      return Error{"devargs: card is given with engine=software; allowed: engine=auto or engine=card with it"};
    if (!options.xclbin.empty())
      return Error{"devargs: xclbin is given with engine=software; allowed: engine=auto or engine=card with it"};
    return {};
  }
  if (options.xclbin.empty())
    return Error{
        "devargs: engine=auto and engine=card need xclbin=<path>, the card's bitstream with its manifest beside it"};
  return {};
}

}  // namespace linecrypt::dpdk
