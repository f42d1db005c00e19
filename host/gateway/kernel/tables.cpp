#include "host/gateway/kernel/tables.hpp"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace linecrypt::gateway::kernel {

namespace {

std::optional<Family> family_of(std::uint8_t family) {
  if (family == AF_INET) return Family::ipv4;
  if (family == AF_INET6) return Family::ipv6;
  return std::nullopt;
}

std::optional<IpAddress> address_of(Family family, const nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  IpAddress address;
  address.family = family;
  if (mnl_attr_get_payload_len(attribute) != address.size()) return std::nullopt;
  std::memcpy(address.bytes.data(), mnl_attr_get_payload(attribute), address.size());
  return address;
}

// RTA_VIA: a next hop of the other family (IPv4 by way of IPv6).
std::optional<IpAddress> via_of(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) < sizeof(rtvia)) return std::nullopt;
  const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
  const auto family = family_of(static_cast<std::uint8_t>(via->rtvia_family));
  if (!family) return std::nullopt;
  IpAddress address;
  address.family = *family;
  if (mnl_attr_get_payload_len(attribute) < sizeof(rtvia) + address.size()) return std::nullopt;
  std::memcpy(address.bytes.data(), via->rtvia_addr, address.size());
  return address;
}

struct Hop {
  int netdev = 0;
  std::optional<IpAddress> via;
};

// The route's next hops: its own, or those of RTA_MULTIPATH.
std::vector<Hop> hops_of(Family family, const std::array<const nlattr*, RTA_MAX + 1>& table) {
  const auto gateway = [&](const nlattr* direct, const nlattr* other) {
    const auto via = address_of(family, direct);
    return via ? via : via_of(other);
  };
  std::vector<Hop> hops;
  if (table[RTA_OIF] != nullptr)
    hops.push_back({static_cast<int>(mnl_attr_get_u32(table[RTA_OIF])), gateway(table[RTA_GATEWAY], table[RTA_VIA])});
  if (table[RTA_MULTIPATH] == nullptr) return hops;
  const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(table[RTA_MULTIPATH]));
  std::size_t left = mnl_attr_get_payload_len(table[RTA_MULTIPATH]);
  while (left >= sizeof(rtnexthop)) {
    const auto* next = reinterpret_cast<const rtnexthop*>(bytes);
    const std::size_t size = next->rtnh_len;
    if (size < sizeof(rtnexthop) || size > left) break;
    const auto inner = attribute_table<RTA_MAX + 1>(bytes + sizeof(rtnexthop), size - sizeof(rtnexthop));
    hops.push_back({next->rtnh_ifindex, gateway(inner[RTA_GATEWAY], inner[RTA_VIA])});
    const std::size_t step = (size + 3) & ~std::size_t{3};
    bytes += std::min(step, left);
    left -= std::min(step, left);
  }
  return hops;
}

}  // namespace

Result<KernelTables> KernelTables::open(std::vector<CompanionIndex> companions) {
  auto watch =
      Netlink::open(NETLINK_ROUTE, {RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                    RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF});
  if (!watch) return watch.error();
  auto ask = Netlink::open(NETLINK_ROUTE);
  if (!ask) return ask.error();
  // Bursts of route changes (a routing daemon's start) should fit; a loss is handled, but costs a full read.
  const int wanted = 4 << 20;
  static_cast<void>(setsockopt(watch->descriptor(), SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted));
  return KernelTables(std::move(companions), std::move(watch).value(), std::move(ask).value());
}

PortIndex KernelTables::port_of(int netdev) const noexcept {
  for (const CompanionIndex& companion : companions_)
    if (companion.netdev == netdev) return companion.port;
  return no_port;
}

bool KernelTables::concerns_us(const nlmsghdr& message) const {
  switch (message.nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return port_of(static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message))->ndm_ifindex) != no_port;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return port_of(static_cast<int>(static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message))->ifa_index)) !=
             no_port;
    default:
      return true;  // routes: a deleted one may have been ours by way of a next hop
  }
}

KernelTables::Changes KernelTables::changed() {
  Changes changes;
  const bool complete = watch_.drain([&](const nlmsghdr& message) {
    if (message.nlmsg_type == RTM_NEWNETCONF)
      changes.forwarding = true;
    else if (concerns_us(message))
      changes.tables = true;
  });
  if (!complete) changes = {true, true};
  return changes;
}

Result<void> KernelTables::read_addresses(FibInput& input) {
  NetlinkRequest request(RTM_GETADDR, 0);
  request.extra<ifaddrmsg>().ifa_family = AF_UNSPEC;
  const int error = ask_.dump(request, [&](const nlmsghdr& message) {
    const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
    const PortIndex port = port_of(static_cast<int>(info->ifa_index));
    const auto family = family_of(info->ifa_family);
    if (port == no_port || !family) return;
    const auto table = attributes<IFA_MAX + 1>(message, sizeof *info);
    const auto own = address_of(*family, table[IFA_LOCAL] != nullptr ? table[IFA_LOCAL] : table[IFA_ADDRESS]);
    if (own) input.addresses.push_back({port, *own, info->ifa_prefixlen});
  });
  if (error != 0) return Error{fmt::format("reading addresses: {}", std::strerror(error))};
  return {};
}

Result<void> KernelTables::read_routes(FibInput& input) {
  for (const int wanted : {AF_INET, AF_INET6}) {
    NetlinkRequest request(RTM_GETROUTE, 0);
    request.extra<rtmsg>().rtm_family = static_cast<std::uint8_t>(wanted);
    const int error = ask_.dump(request, [&](const nlmsghdr& message) {
      const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
      const auto family = family_of(info->rtm_family);
      if (!family || info->rtm_type != RTN_UNICAST || (info->rtm_flags & RTM_F_CLONED) != 0) return;
      const auto table = attributes<RTA_MAX + 1>(message, sizeof *info);
      const std::uint32_t number = table[RTA_TABLE] != nullptr ? mnl_attr_get_u32(table[RTA_TABLE]) : info->rtm_table;
      if (number != RT_TABLE_MAIN) return;
      FibRoute route;
      route.destination.address.family = *family;
      if (const auto destination = address_of(*family, table[RTA_DST])) route.destination.address = *destination;
      route.destination.length = info->rtm_dst_len;
      if (table[RTA_PRIORITY] != nullptr) route.metric = mnl_attr_get_u32(table[RTA_PRIORITY]);
      // Of several next hops the first on a companion is taken: one path keeps one flow in order.
      for (const Hop& hop : hops_of(*family, table)) {
        route.port = port_of(hop.netdev);
        route.via = hop.via;
        if (route.port != no_port) break;
      }
      if (route.port != no_port) input.routes.push_back(route);
    });
    if (error != 0 && error != EAFNOSUPPORT && error != EOPNOTSUPP)
      return Error{fmt::format("reading routes: {}", std::strerror(error))};
  }
  return {};
}

Result<void> KernelTables::read_neighbours(FibInput& input) {
  stale_.clear();
  NetlinkRequest request(RTM_GETNEIGH, 0);
  request.extra<ndmsg>().ndm_family = AF_UNSPEC;
  const int error = ask_.dump(request, [&](const nlmsghdr& message) {
    const auto* info = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
    const PortIndex port = port_of(info->ndm_ifindex);
    const auto family = family_of(info->ndm_family);
    constexpr std::uint16_t usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    if (port == no_port || !family || (info->ndm_state & usable) == 0) return;
    const auto table = attributes<NDA_MAX + 1>(message, sizeof *info);
    const auto address = address_of(*family, table[NDA_DST]);
    FibNeighbour neighbour;
    if (!address || table[NDA_LLADDR] == nullptr ||
        mnl_attr_get_payload_len(table[NDA_LLADDR]) != neighbour.mac.bytes.size())
      return;
    neighbour.port = port;
    neighbour.address = *address;
    std::memcpy(neighbour.mac.bytes.data(), mnl_attr_get_payload(table[NDA_LLADDR]), neighbour.mac.bytes.size());
    input.neighbours.push_back(neighbour);
    if ((info->ndm_state & NUD_STALE) != 0) stale_.push_back(neighbour);
  });
  if (error != 0) return Error{fmt::format("reading neighbours: {}", std::strerror(error))};
  return {};
}

Result<FibInput> KernelTables::read() {
  FibInput input;
  if (auto step = read_addresses(input); !step) return step.error();
  if (auto step = read_routes(input); !step) return step.error();
  if (auto step = read_neighbours(input); !step) return step.error();
  return input;
}

Result<void> KernelTables::resolve(PortIndex port, const IpAddress& address) {
  const auto companion = std::find_if(companions_.begin(), companions_.end(),
                                      [&](const CompanionIndex& entry) { return entry.port == port; });
  if (companion == companions_.end()) return Error{fmt::format("port {} has no companion", port)};
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE);
  auto& info = request.extra<ndmsg>();
  info.ndm_family = address.family == Family::ipv4 ? AF_INET : AF_INET6;
  info.ndm_ifindex = companion->netdev;
  info.ndm_flags = NTF_USE;
  mnl_attr_put(request.header(), NDA_DST, address.size(), address.bytes.data());
  const int error = ask_.request(request);
  if (error != 0) return Error{fmt::format("resolving {}: {}", address.text(), std::strerror(error))};
  return {};
}

}  // namespace linecrypt::gateway::kernel
