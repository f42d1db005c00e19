// Links, addresses and flags of kernel netdevs, over rtnetlink. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/gateway/kernel/netlink.hpp"
#include "linecrypt/address.hpp"

namespace linecrypt::gateway::kernel {

struct Link {
  int index = 0;
  std::string name;
  std::uint32_t flags = 0;     // IFF_*
  std::uint16_t hardware = 0;  // ARPHRD_*
  std::uint32_t mtu = 0;
  MacAddress mac;
  int master = 0;               // bridge, bond, vrf ... it belongs to; 0: none
  std::string kind;             // "veth", "tun", "bridge" ...; empty for hardware
  std::optional<int> peer;      // veth: index of the other end, when that is in this network namespace
  bool peer_elsewhere = false;  // veth: the other end is in another network namespace
};

struct LinkAddress {
  IpAddress address;
  std::uint8_t prefix_length = 0;
  bool link_local = false;  // fe80::/10
};

// An error says that there is no such netdev here, and which there are.
Result<Link> find_link(Netlink& netlink, const std::string& name);
Result<std::vector<Link>> list_links(Netlink& netlink);
Result<std::vector<LinkAddress>> list_addresses(Netlink& netlink, int index);

// Sets the IFF_* bits of `mask` to those of `flags`.
Result<void> set_flags(Netlink& netlink, const Link& link, std::uint32_t flags, std::uint32_t mask);
Result<void> set_mtu(Netlink& netlink, const Link& link, std::uint32_t mtu);
Result<void> set_mac(Netlink& netlink, const Link& link, const MacAddress& mac);
// Without duplicate address detection: a gateway must answer at once after a restart.
Result<void> add_address(Netlink& netlink, const Link& link, const IpAddress& address, std::uint8_t prefix_length);

}  // namespace linecrypt::gateway::kernel
