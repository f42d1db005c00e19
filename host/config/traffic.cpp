// Traffic: the selectors of tunnels and policies (RFC 4301 4.4.1.1).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "host/config/words.hpp"
#include "linecrypt/wire/esp.hpp"

namespace linecrypt::config {
namespace {

struct ProtocolName {
  std::string_view text;
  std::uint8_t number;
};
constexpr ProtocolName protocol_names[] = {
    {"icmp", 1},
    {"igmp", 2},
    {"ipip", wire::protocol_ipip},
    {"tcp", wire::protocol_tcp},
    {"udp", wire::protocol_udp},
    {"dccp", 33},
    {"ipv6", wire::protocol_ipv6},
    {"gre", 47},
    {"esp", wire::protocol_esp},
    {"icmpv6", 58},
    {"ospf", 89},
    {"sctp", 132},
};

bool has_ports(std::uint8_t protocol) {
  return protocol == wire::protocol_tcp || protocol == wire::protocol_udp || protocol == 33 || protocol == 132;
}

std::optional<unsigned> port_number(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || port > 65535) return std::nullopt;
  return port;
}

void read_protocol(Section& section, Traffic& traffic) {
  const Value* const value = section.find("protocol");
  if (value == nullptr) return;
  if (value->kind == Kind::integer) {
    if (section.in_range("protocol", *value, 0, 255)) traffic.protocol = static_cast<std::uint8_t>(value->integer);
    return;
  }
  if (value->kind == Kind::string) {
    if (value->text == "any") return;
    for (const ProtocolName& name : protocol_names) {
      if (name.text == value->text) {
        traffic.protocol = name.number;
        return;
      }
    }
  }
  std::vector<std::string> names{"\"any\""};
  for (const ProtocolName& name : protocol_names) names.push_back(fmt::format("\"{}\"", name.text));
  section.error("protocol",
                fmt::format("protocol is {}, allowed: a number 0 to 255 or {}",
                            value->kind == Kind::string ? quoted(value->text) : std::string(kind_name(value->kind)),
                            joined(names)));
}

// 443 or "1000-2000".
std::optional<PortRange> read_range(Section& section, std::string_view key, const Value& value) {
  if (value.kind == Kind::integer) {
    if (!section.in_range(key, value, 0, 65535)) return std::nullopt;
    const auto port = static_cast<std::uint16_t>(value.integer);
    return PortRange{port, port};
  }
  if (value.kind == Kind::string) {
    const std::string_view text = value.text;
    const std::size_t dash = text.find('-');
    const auto first = port_number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : port_number(text.substr(dash + 1));
    if (first && last && *first <= *last)
      return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
  }
  section.report().error(
      value.at, fmt::format("{} holds {}, allowed: a port 0 to 65535, a range like \"1000-2000\", or a list of them",
                            key, value.kind == Kind::string ? quoted(value.text) : std::string(kind_name(value.kind))));
  return std::nullopt;
}

std::vector<PortRange> read_ports(Section& section, std::string_view key, const Traffic& traffic) {
  std::vector<PortRange> ranges;
  const Value* const value = section.find(key);
  if (value == nullptr || (value->kind == Kind::string && value->text == "any")) return ranges;
  if (value->kind == Kind::array) {
    for (const Value& item : section.items(key, 32, Need::required))
      if (const auto range = read_range(section, key, item)) ranges.push_back(*range);
  } else if (const auto range = read_range(section, key, *value)) {
    ranges.push_back(*range);
  }
  const bool all = std::all_of(ranges.begin(), ranges.end(), [](PortRange range) { return range.any(); });
  if (!all && !(traffic.protocol && has_ports(*traffic.protocol)))
    section.error(key, fmt::format("{} needs a protocol that has ports: \"tcp\", \"udp\", \"sctp\" or \"dccp\"", key));
  return ranges;
}

std::vector<Prefix> read_networks(Section& section, std::string_view key, Need need) {
  std::vector<Prefix> networks;
  for (const Value& item : section.items(key, 256, need)) {
    Prefix network;
    if (!section.parsed_value(key, item, Prefix::parse, network)) continue;
    if (std::find(networks.begin(), networks.end(), network) != networks.end())
      section.report().error(item.at, fmt::format("{} names {} twice", key, network.text()));
    else
      networks.push_back(network);
  }
  return networks;
}

// Families present in a list: bit 0 IPv4, bit 1 IPv6.
unsigned families(const std::vector<Prefix>& networks) {
  unsigned found = 0;
  for (const Prefix& network : networks) found |= network.address.family == Family::ipv4 ? 1U : 2U;
  return found;
}

}  // namespace

Traffic read_traffic(Section& section, Need networks) {
  Traffic traffic;
  traffic.local = read_networks(section, "local_networks", networks);
  traffic.remote = read_networks(section, "remote_networks", networks);
  read_protocol(section, traffic);
  traffic.local_ports = read_ports(section, "local_ports", traffic);
  traffic.remote_ports = read_ports(section, "remote_ports", traffic);
  return traffic;
}

std::vector<Selector> expand(const Traffic& traffic, const Section& section) {
  std::vector<Selector> selectors;
  // 1. A network needs one of its own family on the other side.
  if (!traffic.local.empty() && !traffic.remote.empty()) {
    const unsigned both = families(traffic.local) & families(traffic.remote);
    const auto lone = [&](std::string_view key, const std::vector<Prefix>& networks, std::string_view other) {
      if ((families(networks) & ~both) == 0) return;
      section.error(
          key, fmt::format("{} holds IPv{} networks and {} holds none, both sides of a selector are of one family", key,
                           (families(networks) & ~both & 1U) != 0 ? 4 : 6, other));
    };
    lone("local_networks", traffic.local, "remote_networks");
    lone("remote_networks", traffic.remote, "local_networks");
  }
  // 2. The product.
  const std::vector<PortRange> any{PortRange{}};
  const auto& local_ports = traffic.local_ports.empty() ? any : traffic.local_ports;
  const auto& remote_ports = traffic.remote_ports.empty() ? any : traffic.remote_ports;
  const std::size_t product = traffic.local.size() * traffic.remote.size() * local_ports.size() * remote_ports.size();
  if (product > 4 * most_selectors) {
    section.error("local_networks",
                  fmt::format("{} combinations of networks and ports, allowed: at most {}", product, most_selectors));
    return selectors;
  }
  for (const Prefix& local : traffic.local)
    for (const Prefix& remote : traffic.remote)
      for (const PortRange& local_port : local_ports)
        for (const PortRange& remote_port : remote_ports)
          if (local.address.family == remote.address.family)
            selectors.push_back({local, remote, traffic.protocol, local_port, remote_port});
  if (selectors.size() > most_selectors)
    section.error("local_networks", fmt::format("{} combinations of networks and ports, allowed: at most {}",
                                                selectors.size(), most_selectors));
  return selectors;
}

std::string selector_text(const Selector& selector) {
  std::string text = fmt::format("{} to {}", selector.local.text(), selector.remote.text());
  if (selector.protocol) text += fmt::format(", protocol {}", *selector.protocol);
  const auto ports = [&](std::string_view side, PortRange range) {
    if (range.any()) return;
    text += range.first == range.last ? fmt::format(", {} port {}", side, range.first)
                                      : fmt::format(", {} ports {}-{}", side, range.first, range.last);
  };
  ports("local", selector.local_port);
  ports("remote", selector.remote_port);
  return text;
}

bool covers(const Selector& outer, const Selector& inner) noexcept {
  const auto network = [](const Prefix& wide, const Prefix& narrow) {
    return wide.length <= narrow.length && wide.contains(narrow.address);
  };
  const auto ports = [](PortRange wide, PortRange narrow) {
    return wide.first <= narrow.first && wide.last >= narrow.last;
  };
  return network(outer.local, inner.local) && network(outer.remote, inner.remote) &&
         (!outer.protocol || outer.protocol == inner.protocol) && ports(outer.local_port, inner.local_port) &&
         ports(outer.remote_port, inner.remote_port);
}

}  // namespace linecrypt::config
