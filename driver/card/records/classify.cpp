#include "driver/card/records/classify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace linecrypt::card {
namespace {

constexpr const char* port_names[] = {"clear port", "black port"};

[[nodiscard]] bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132;
}

template <typename Word>
abi::Command load(abi::Block direction, std::uint32_t index, const Word& word) {
  static_assert(sizeof(Word) == abi::word_bytes);
  abi::Command command{};
  command.op = abi::CommandOp::load;
  command.block = direction;
  command.table = abi::Table::classify;
  command.index = index;
  std::memcpy(command.payload, &word, sizeof word);
  return command;
}

abi::Command commit(abi::Block direction, std::uint32_t entries, std::uint32_t generation) noexcept {
  abi::Command command{};
  command.op = abi::CommandOp::commit;
  command.block = direction;
  command.table = abi::Table::classify;
  command.index = entries;
  command.generation = generation;
  command.respond = 1;
  return command;
}

std::uint32_t tag_word(const ClearVlanTag& tag) noexcept {
  return (std::uint32_t{tag.tpid} << 16U) | tag.vid;
}

// ---- what a card cannot say ----

Result<void> check(const Policy& policy) {
  const auto refuse = [&](std::string what) { return Error{fmt::format("policy {}: {}", policy.name, what)}; };
  if (policy.selectors.empty()) return refuse("it has no selectors, allowed: at least one");
  if (policy.outbound == Requirement::request || policy.inbound == Requirement::request)
    return refuse("request, allowed on a bump-in-the-wire card: require");
  for (const Selector& selector : policy.selectors) {
    if (selector.local.address.family != selector.remote.address.family)
      return refuse(fmt::format("local {} and remote {} are of two families, allowed: one", selector.local.text(),
                                selector.remote.text()));
    if (!(selector.local_port.any() && selector.remote_port.any()) &&
        !(selector.protocol && has_ports(*selector.protocol)))
      return refuse("a port range, allowed: with protocol 6, 17, 33 or 132");
  }
  return {};
}

Result<void> check_secy(const InlinePort& port, abi::CardMode mode) {
  const MacsecSecY& secy = *port.secy;
  if (mode == abi::CardMode::esp)
    return Error{"black port: MACsec on a card of mode esp, allowed: modes macsec and both"};
  if (secy.validate != ValidateFrames::strict)
    return Error{
        "black port: validate check or disabled, allowed on a bump-in-the-wire card: strict (a frame of no SA never "
        "passes it)"};
  const bool prefix = secy.clear_tags.size() <= port.vlan.size() &&
                      std::equal(secy.clear_tags.begin(), secy.clear_tags.end(), port.vlan.begin());
  if (!prefix) return Error{"black port: MACsec's clear VLAN tags are not the port's first, allowed: the port's first"};
  return {};
}

Result<void> check(const InlinePort& port, std::uint32_t index, abi::CardMode mode) {
  const char* const name = port_names[index];
  if (port.mtu < 576 || port.mtu > abi::frame_largest)
    return Error{fmt::format("{}: MTU {}, allowed: 576 to {}", name, port.mtu, abi::frame_largest)};
  if (port.vlan.size() > abi::port_tags_most)
    return Error{fmt::format("{}: {} VLAN tags, allowed: at most {}", name, port.vlan.size(), abi::port_tags_most)};
  if (port.udp_ports.size() > abi::udp_ports_most)
    return Error{fmt::format("{}: {} ports of UDP encapsulation, allowed: at most {}", name, port.udp_ports.size(),
                             abi::udp_ports_most)};
  if (port.next_hop && (port.next_hop->group() || *port.next_hop == MacAddress{}))
    return Error{fmt::format("{}: next hop {}, allowed: one station's address", name, port.next_hop->text())};
  for (const InlineAddress& own : port.addresses) {
    if (own.length > own.address.size() * 8)
      return Error{fmt::format("{}: {}/{}, allowed: a length of at most {}", name, own.address.text(), own.length,
                               own.address.size() * 8)};
  }
  if (index == abi::clear_port && port.secy) return Error{"clear port: MACsec, allowed: on the black port"};
  if (index == abi::clear_port && !port.udp_ports.empty())
    return Error{"clear port: UDP encapsulation, allowed: on the black port"};
  if (port.secy) return check_secy(port, mode);
  return {};
}

// ---- words ----

Result<const InlineTunnel*> tunnel_of(const Policy& policy, const std::vector<InlineTunnel>& tunnels,
                                      abi::CardMode mode) {
  const auto found = std::find_if(tunnels.begin(), tunnels.end(),
                                  [&](const InlineTunnel& tunnel) { return tunnel.name == policy.tunnel; });
  if (found == tunnels.end())
    return Error{fmt::format("policy {}: it protects by tunnel \"{}\", which does not exist, allowed: a tunnel's name",
                             policy.name, policy.tunnel)};
  if (mode == abi::CardMode::macsec)
    return Error{fmt::format("policy {}: protect on a card of mode macsec, allowed: modes esp and both", policy.name)};
  if (found->mode == EspMode::transport)
    return Error{fmt::format("policy {}: transport mode of tunnel \"{}\", allowed on a bump-in-the-wire card: tunnel",
                             policy.name, policy.tunnel)};
  if (found->largest_clear > abi::frame_largest)
    return Error{fmt::format("tunnel \"{}\": largest clear packet {}, allowed: at most {}", found->name,
                             found->largest_clear, abi::frame_largest)};
  return &*found;
}

abi::ClassifyEntry entry_of(const Selector& selector) {
  namespace flag = abi::selector_flag;
  abi::ClassifyEntry entry{};
  std::copy(selector.local.address.bytes.begin(), selector.local.address.bytes.end(), entry.local);
  std::copy(selector.remote.address.bytes.begin(), selector.remote.address.bytes.end(), entry.remote);
  entry.local_length = selector.local.length;
  entry.remote_length = selector.remote.length;
  entry.protocol = selector.protocol.value_or(0);
  entry.flags = static_cast<std::uint8_t>(
      (selector.local.address.family == Family::ipv6 ? flag::ipv6 : 0U) | (selector.protocol ? flag::protocol : 0U) |
      (selector.local_port.any() ? 0U : flag::local_port) | (selector.remote_port.any() ? 0U : flag::remote_port));
  entry.local_first = selector.local_port.first;
  entry.local_last = selector.local_port.last;
  entry.remote_first = selector.remote_port.first;
  entry.remote_last = selector.remote_port.last;
  return entry;
}

// In the order of matching: priority, then position.
Result<std::vector<abi::ClassifyEntry>> entries_of(const InlineGateway& gateway, abi::CardMode mode,
                                                   std::uint32_t most) {
  std::vector<const Policy*> ordered;
  for (const Policy& policy : gateway.policies) ordered.push_back(&policy);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Policy* a, const Policy* b) { return a->priority < b->priority; });
  std::vector<abi::ClassifyEntry> entries;
  for (const Policy* policy : ordered) {
    if (const Result<void> checked = check(*policy); !checked) return checked.error();
    const InlineTunnel* tunnel = nullptr;
    if (policy->action == PolicyAction::protect) {
      const Result<const InlineTunnel*> found = tunnel_of(*policy, gateway.tunnels, mode);
      if (!found) return found.error();
      tunnel = found.value();
    }
    for (const Selector& selector : policy->selectors) {
      abi::ClassifyEntry entry = entry_of(selector);
      entry.action = policy->action == PolicyAction::protect  ? abi::PolicyAction::protect
                     : policy->action == PolicyAction::bypass ? abi::PolicyAction::bypass
                                                              : abi::PolicyAction::discard;
      if (tunnel != nullptr) {
        entry.largest = static_cast<std::uint16_t>(tunnel->largest_clear);
        entry.sa = {tunnel->egress_sa.index, tunnel->egress_sa.generation};
      }
      entries.push_back(entry);
    }
  }
  if (entries.size() > most)
    return Error{
        fmt::format("policies: {} selectors, allowed on this card: at most {} in all policies", entries.size(), most)};
  return entries;
}

abi::PortWord port_word(const InlinePort& port) {
  abi::PortWord word{};
  std::copy(port.mac.bytes.begin(), port.mac.bytes.end(), word.mac);
  if (port.next_hop) std::copy(port.next_hop->bytes.begin(), port.next_hop->bytes.end(), word.next_hop);
  word.mtu = static_cast<std::uint16_t>(port.mtu);
  word.tags = static_cast<std::uint8_t>(port.vlan.size());
  for (std::size_t i = 0; i < port.vlan.size(); ++i) word.tag[i] = tag_word(port.vlan[i]);
  std::copy(port.udp_ports.begin(), port.udp_ports.end(), word.udp_port);
  if (port.secy) {
    word.flags = static_cast<std::uint8_t>(abi::port_flag::macsec | abi::port_flag::strict |
                                           (is_xpn(port.secy->suite) ? abi::port_flag::xpn : 0U));
    word.macsec_tags = static_cast<std::uint8_t>(port.secy->clear_tags.size());
    word.macsec_sa = {port.macsec_sa.index, port.macsec_sa.generation};
  }
  return word;
}

Result<std::array<abi::OwnAddresses, abi::own_address_words>> address_words(const InlineGateway& gateway) {
  std::array<abi::OwnAddresses, abi::own_address_words> words{};
  std::size_t used = 0;
  for (std::uint32_t index = 0; index < abi::inline_port_count; ++index) {
    for (const InlineAddress& own : gateway.ports[index].addresses) {
      const std::size_t at = used++;
      if (at >= abi::own_addresses_most) continue;
      abi::OwnAddress& word = words[at / abi::addresses_per_word].address[at % abi::addresses_per_word];
      std::copy(own.address.bytes.begin(), own.address.bytes.end(), word.address);
      word.length = own.length;
      word.flags = static_cast<std::uint8_t>(abi::address_flag::present |
                                             (own.address.family == Family::ipv6 ? abi::address_flag::ipv6 : 0U) |
                                             (index == abi::black_port ? abi::address_flag::black : 0U));
    }
  }
  if (used > abi::own_addresses_most)
    return Error{fmt::format("addresses: {} on both ports, allowed: at most {}", used, abi::own_addresses_most)};
  return words;
}

}  // namespace

// 1. What the card cannot say is refused, before anything is written.
// 2. Entries in order, ports, addresses; then the commit that puts them in force.
Result<std::vector<abi::Command>> classify_commands(const InlineGateway& gateway, abi::CardMode mode,
                                                    std::uint32_t entries, abi::Block direction,
                                                    std::uint32_t generation) {
  // 1.
  if (direction != abi::egress_port && direction != abi::ingress_port)
    return Error{fmt::format("block {}: has no policy, allowed: those of the ports", static_cast<unsigned>(direction))};
  if (generation == 0) return Error{"generation 0: closes, allowed: any other"};
  for (std::uint32_t i = 0; i < abi::inline_port_count; ++i) {
    if (const Result<void> checked = check(gateway.ports[i], i, mode); !checked) return checked.error();
  }
  const auto words = entries_of(gateway, mode, entries);
  if (!words) return words.error();
  const auto addresses = address_words(gateway);
  if (!addresses) return addresses.error();
  // 2.
  std::vector<abi::Command> commands;
  std::uint32_t count = 0;
  for (const abi::ClassifyEntry& word : words.value()) commands.push_back(load(direction, count++, word));
  for (std::uint32_t i = 0; i < abi::inline_port_count; ++i)
    commands.push_back(load(direction, abi::classify_port + i, port_word(gateway.ports[i])));
  for (std::uint32_t i = 0; i < abi::own_address_words; ++i)
    commands.push_back(load(direction, abi::classify_address + i, addresses.value()[i]));
  commands.push_back(commit(direction, count, generation));
  return commands;
}

abi::Command close_command(abi::Block direction) noexcept {
  return commit(direction, 0, 0);
}

}  // namespace linecrypt::card
