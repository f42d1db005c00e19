#include "host/gateway/kernel/link.hpp"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cstring>

namespace linecrypt::gateway::kernel {

namespace {

// IFLA_INFO_KIND is nested in IFLA_LINKINFO.
std::string kind_of(const nlattr* link_info) {
  const nlattr* kind = nested<IFLA_INFO_MAX + 1>(link_info)[IFLA_INFO_KIND];
  return kind == nullptr ? std::string{} : mnl_attr_get_str(kind);
}

Link parse_link(const nlmsghdr& message) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  const auto table = attributes<IFLA_MAX + 1>(message, sizeof *info);
  Link link;
  link.index = info->ifi_index;
  link.flags = info->ifi_flags;
  link.hardware = info->ifi_type;
  if (table[IFLA_IFNAME] != nullptr) link.name = mnl_attr_get_str(table[IFLA_IFNAME]);
  if (table[IFLA_MTU] != nullptr) link.mtu = mnl_attr_get_u32(table[IFLA_MTU]);
  if (table[IFLA_MASTER] != nullptr) link.master = static_cast<int>(mnl_attr_get_u32(table[IFLA_MASTER]));
  if (table[IFLA_ADDRESS] != nullptr && mnl_attr_get_payload_len(table[IFLA_ADDRESS]) == link.mac.bytes.size())
    std::memcpy(link.mac.bytes.data(), mnl_attr_get_payload(table[IFLA_ADDRESS]), link.mac.bytes.size());
  link.kind = kind_of(table[IFLA_LINKINFO]);
  if (link.kind == "veth") {
    link.peer_elsewhere = table[IFLA_LINK_NETNSID] != nullptr;
    if (!link.peer_elsewhere && table[IFLA_LINK] != nullptr)
      link.peer = static_cast<int>(mnl_attr_get_u32(table[IFLA_LINK]));
  }
  return link;
}

Result<void> change(Netlink& netlink, NetlinkRequest& request, const std::string& what) {
  const int error = netlink.request(request);
  if (error != 0) return Error{fmt::format("{}: {}", what, std::strerror(error))};
  return {};
}

}  // namespace

Result<std::vector<Link>> list_links(Netlink& netlink) {
  NetlinkRequest request(RTM_GETLINK, 0);
  request.extra<ifinfomsg>().ifi_family = AF_UNSPEC;
  std::vector<Link> links;
  const int error = netlink.dump(request, [&](const nlmsghdr& message) {
    if (message.nlmsg_type == RTM_NEWLINK) links.push_back(parse_link(message));
  });
  if (error != 0) return Error{fmt::format("listing netdevs: {}", std::strerror(error))};
  return links;
}

Result<Link> find_link(Netlink& netlink, const std::string& name) {
  auto links = list_links(netlink);
  if (!links) return links.error();
  std::string names;
  for (const Link& link : *links) {
    if (link.name == name) return link;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", link.name);
  }
  return Error{fmt::format("no netdev '{}' in this network namespace; there are: {}", name, names)};
}

Result<std::vector<LinkAddress>> list_addresses(Netlink& netlink, int index) {
  NetlinkRequest request(RTM_GETADDR, 0);
  request.extra<ifaddrmsg>().ifa_family = AF_UNSPEC;
  std::vector<LinkAddress> addresses;
  const int error = netlink.dump(request, [&](const nlmsghdr& message) {
    const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
    if (static_cast<int>(info->ifa_index) != index) return;
    if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return;
    const auto table = attributes<IFA_MAX + 1>(message, sizeof *info);
    // IFA_LOCAL is the own address of a point-to-point link; without it IFA_ADDRESS is.
    const nlattr* own = table[IFA_LOCAL] != nullptr ? table[IFA_LOCAL] : table[IFA_ADDRESS];
    if (own == nullptr) return;
    LinkAddress address;
    address.address.family = info->ifa_family == AF_INET ? Family::ipv4 : Family::ipv6;
    if (mnl_attr_get_payload_len(own) != address.address.size()) return;
    std::memcpy(address.address.bytes.data(), mnl_attr_get_payload(own), address.address.size());
    address.prefix_length = info->ifa_prefixlen;
    address.link_local = address.address.family == Family::ipv6 && address.address.bytes[0] == 0xfe &&
                         (address.address.bytes[1] & 0xc0U) == 0x80;
    addresses.push_back(address);
  });
  if (error != 0) return Error{fmt::format("listing addresses: {}", std::strerror(error))};
  return addresses;
}

Result<void> set_flags(Netlink& netlink, const Link& link, std::uint32_t flags, std::uint32_t mask) {
  NetlinkRequest request(RTM_NEWLINK, 0);
  auto& info = request.extra<ifinfomsg>();
  info.ifi_index = link.index;
  info.ifi_flags = flags & mask;
  info.ifi_change = mask;
  return change(netlink, request, fmt::format("netdev {}: changing flags 0x{:x}", link.name, mask));
}

Result<void> set_mtu(Netlink& netlink, const Link& link, std::uint32_t mtu) {
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.extra<ifinfomsg>().ifi_index = link.index;
  mnl_attr_put_u32(request.header(), IFLA_MTU, mtu);
  return change(netlink, request, fmt::format("netdev {}: setting MTU {}", link.name, mtu));
}

Result<void> set_mac(Netlink& netlink, const Link& link, const MacAddress& mac) {
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.extra<ifinfomsg>().ifi_index = link.index;
  mnl_attr_put(request.header(), IFLA_ADDRESS, mac.bytes.size(), mac.bytes.data());
  return change(netlink, request, fmt::format("netdev {}: setting MAC {}", link.name, mac.text()));
}

Result<void> add_address(Netlink& netlink, const Link& link, const IpAddress& address, std::uint8_t prefix_length) {
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  auto& info = request.extra<ifaddrmsg>();
  info.ifa_family = address.family == Family::ipv4 ? AF_INET : AF_INET6;
  info.ifa_prefixlen = prefix_length;
  info.ifa_index = static_cast<std::uint32_t>(link.index);
  if (address.family == Family::ipv6) info.ifa_flags = IFA_F_NODAD;
  mnl_attr_put(request.header(), IFA_LOCAL, address.size(), address.bytes.data());
  mnl_attr_put(request.header(), IFA_ADDRESS, address.size(), address.bytes.data());
  return change(netlink, request,
                fmt::format("netdev {}: adding address {}/{}", link.name, address.text(), prefix_length));
}

}  // namespace linecrypt::gateway::kernel
