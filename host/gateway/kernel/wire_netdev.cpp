#include "host/gateway/kernel/wire_netdev.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <random>

#include "host/gateway/kernel/offloads.hpp"
#include "host/gateway/kernel/setting.hpp"

namespace linecrypt::gateway::kernel {

namespace {

constexpr std::uint32_t wanted_flags = IFF_UP | IFF_NOARP | IFF_PROMISC;

std::string ipv6_off_setting(const std::string& netdev) {
  return fmt::format("net/ipv6/conf/{}/disable_ipv6", netdev);
}

std::string name_of(Netlink& netlink, int index) {
  if (auto links = list_links(netlink))
    for (const Link& link : *links)
      if (link.index == index) return link.name;
  return fmt::format("netdev {}", index);
}

const char* text_of(DropState state) {
  constexpr const char* texts[] = {"present", "absent", "not available in this kernel"};
  return texts[static_cast<std::size_t>(state)];
}

RuleState rule_of(DropState state) {
  constexpr RuleState states[] = {RuleState::ok, RuleState::violated, RuleState::unknown};
  return states[static_cast<std::size_t>(state)];
}

}  // namespace

// An abstract socket's name is unique within a network namespace and ends with its process: just what a claim on a
// netdev must be.
Result<void> WireNetdev::claim() {
  claim_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (claim_ < 0) return Error{fmt::format("port {}: claim socket: {}", port_, std::strerror(errno))};
  const std::string name = "linecrypt/netdev/" + link_.name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), std::min(name.size(), sizeof address.sun_path - 1));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(claim_, reinterpret_cast<const sockaddr*>(&address), size) == 0) return {};
  if (errno == EADDRINUSE)
    return Error{fmt::format("port {}: netdev {} is in use by another linecryptd", port_, link_.name)};
  return Error{fmt::format("port {}: claiming netdev {}: {}", port_, link_.name, std::strerror(errno))};
}

Result<void> WireNetdev::refuse_neighbours(Netlink& netlink) {
  if (link_.hardware != ARPHRD_ETHER || (link_.flags & IFF_LOOPBACK) != 0)
    return Error{fmt::format("port {}: netdev {} is not Ethernet; an af_packet port needs one", port_, link_.name)};
  if (link_.master != 0)
    return Error{fmt::format("port {}: netdev {} belongs to '{}'; take it out (ip link set {} nomaster)", port_,
                             link_.name, name_of(netlink, link_.master), link_.name)};
  auto addresses = list_addresses(netlink, link_.index);
  if (!addresses) return addresses.error();
  for (const LinkAddress& address : *addresses) {
    if (address.link_local) continue;  // goes with IPv6
    return Error{fmt::format(
        "port {}: netdev {} carries the address {}/{}; the netdev under an af_packet port must carry none (ip addr "
        "flush dev {}); addresses belong to the companion TAP",
        port_, link_.name, address.address.text(), address.prefix_length, link_.name)};
  }
  return {};
}

Result<void> WireNetdev::silence(Netlink& netlink) {
  const std::string setting = ipv6_off_setting(link_.name);
  const auto now = read_setting(setting);
  if (now && *now != "1") {
    if (auto written = write_setting(setting, "1"); !written)
      return Error{
          fmt::format("port {}: IPv6 must be off on netdev {}: {}", port_, link_.name, written.error().message)};
    old_ipv6_off_ = *now;
  }
  const std::uint32_t missing = wanted_flags & ~link_.flags & ~static_cast<std::uint32_t>(IFF_UP);
  if (missing == 0) return {};
  if (auto set = set_flags(netlink, link_, missing, missing); !set) return set.error();
  changed_flags_ |= missing;
  return {};
}

Result<void> WireNetdev::shut() {
  // Nobody guesses it; 0 is what unmarked frames have.
  std::random_device random;
  do mark_ = random();
  while (mark_ == 0);
  auto installed = install_drop_table(link_.name, mark_);
  if (!installed) return Error{fmt::format("port {}: {}", port_, installed.error().message)};
  shut_ = true;
  drops_ = *installed;
  for (const auto& [hook, state] : {std::pair{"ingress", drops_.ingress}, std::pair{"egress", drops_.egress}})
    if (state == DropState::unavailable)
      notes_.push_back(
          fmt::format("port {}: this kernel has no nftables netdev {} hook; netdev {} is shut by NOARP, "
                      "no addresses and IPv6 off only",
                      port_, hook, link_.name));
  return {};
}

Result<void> WireNetdev::make_exact(Netlink& netlink) {
  std::vector<std::string> netdevs{link_.name};
  if (link_.peer) netdevs.push_back(name_of(netlink, *link_.peer));
  for (const std::string& netdev : netdevs) {
    auto were_on = turn_offloads_off(netdev);
    if (!were_on) return Error{fmt::format("port {}: {}", port_, were_on.error().message)};
    if (!were_on->empty()) old_offloads_.emplace_back(netdev, std::move(were_on).value());
  }
  if (link_.peer_elsewhere)
    notes_.push_back(fmt::format(
        "port {}: the veth peer of {} is in another network namespace: turn its checksum and segmentation offloads "
        "off there (ethtool -K ... tx off tso off gso off), else its frames arrive without checksums",
        port_, link_.name));
  return {};
}

Result<void> WireNetdev::open_up(Netlink& netlink, std::uint32_t payload_mtu) {
  payload_mtu_ = payload_mtu;
  if (link_.mtu < payload_mtu) {
    if (auto set = set_mtu(netlink, link_, payload_mtu); !set)
      return Error{fmt::format("port {}: netdev {} has MTU {} and the port's frames need {}: {}", port_, link_.name,
                               link_.mtu, payload_mtu, set.error().message)};
    old_mtu_ = link_.mtu;
  }
  if ((link_.flags & IFF_UP) == 0) {
    if (auto set = set_flags(netlink, link_, IFF_UP, IFF_UP); !set) return set.error();
    changed_flags_ |= IFF_UP;
  }
  return {};
}

// Steps: look, claim, refuse, then shut before anything comes up, so that no frame passes in between.
Result<WireNetdev> WireNetdev::secure(Netlink& netlink, const std::string& port, const std::string& netdev,
                                      std::uint32_t payload_mtu) {
  auto link = find_link(netlink, netdev);
  if (!link) return Error{fmt::format("port {}: {}", port, link.error().message)};
  WireNetdev wire;
  wire.port_ = port;
  wire.link_ = std::move(link).value();
  if (auto step = wire.claim(); !step) return step.error();
  if (auto step = wire.refuse_neighbours(netlink); !step) return step.error();
  if (auto step = wire.shut(); !step) return step.error();
  if (auto step = wire.silence(netlink); !step) return step.error();
  if (auto step = wire.make_exact(netlink); !step) return step.error();
  if (auto step = wire.open_up(netlink, payload_mtu); !step) return step.error();
  return wire;
}

std::vector<LiveRule> WireNetdev::check_live(Netlink& netlink) const {
  std::vector<LiveRule> rules;
  const auto add = [&](std::string rule, RuleState state, std::string found) {
    rules.push_back({port_, link_.name, std::move(rule), state, std::move(found)});
  };
  const auto holds = [&](std::string rule, bool ok, std::string found) {
    add(std::move(rule), ok ? RuleState::ok : RuleState::violated, ok ? std::string{} : std::move(found));
  };

  const auto link = find_link(netlink, link_.name);
  if (!link || link->index != link_.index) {
    add("netdev present", RuleState::violated, link ? "another netdev has taken the name" : link.error().message);
    return rules;
  }
  holds("no master", link->master == 0, fmt::format("belongs to {}", name_of(netlink, link->master)));
  holds("NOARP", (link->flags & IFF_NOARP) != 0, "flag is off");
  holds("promiscuous", (link->flags & IFF_PROMISC) != 0, "flag is off");
  holds("up", (link->flags & IFF_UP) != 0, "down");
  holds("MTU", link->mtu >= payload_mtu_, fmt::format("{}, needs {}", link->mtu, payload_mtu_));

  if (const auto addresses = list_addresses(netlink, link_.index)) {
    std::string found;
    for (const LinkAddress& address : *addresses)
      found += fmt::format("{}{}/{}", found.empty() ? "" : ", ", address.address.text(), address.prefix_length);
    holds("no address", found.empty(), found);
  } else {
    add("no address", RuleState::unknown, addresses.error().message);
  }

  const auto ipv6_off = read_setting(ipv6_off_setting(link_.name));
  holds("IPv6 off", !ipv6_off || *ipv6_off == "1", "disable_ipv6 is " + ipv6_off.value_or(""));

  if (const auto drops = read_drop_table(link_.name)) {
    const auto report = [&](const char* rule, DropState found, DropState installed) {
      // A hook that was not available at start is not a violation now.
      const DropState state = installed == DropState::unavailable ? installed : found;
      add(rule, rule_of(state), state == DropState::present ? "" : text_of(state));
    };
    report("nftables ingress drop", drops->ingress, drops_.ingress);
    report("nftables egress drop", drops->egress, drops_.egress);
  } else {
    add("nftables drops", RuleState::unknown, drops.error().message);
  }

  if (const auto on = offloads_on(link_.name))
    holds("offloads off", on->empty(), fmt::format("{}", fmt::join(*on, ", ")));
  else
    add("offloads off", RuleState::unknown, on.error().message);
  if (link_.peer) {
    const std::string peer = name_of(netlink, *link_.peer);
    const auto on = offloads_on(peer);
    if (on)
      holds("veth peer's offloads off", on->empty(), fmt::format("{}: {}", peer, fmt::join(*on, ", ")));
    else
      add("veth peer's offloads off", RuleState::unknown, on.error().message);
  } else if (link_.peer_elsewhere) {
    add("veth peer's offloads off", RuleState::unknown, "the peer is in another network namespace");
  }
  return rules;
}

WireNetdev::WireNetdev(WireNetdev&& other) noexcept {
  *this = std::move(other);
}

WireNetdev& WireNetdev::operator=(WireNetdev&& other) noexcept {
  std::swap(port_, other.port_);
  std::swap(link_, other.link_);
  std::swap(payload_mtu_, other.payload_mtu_);
  std::swap(claim_, other.claim_);
  std::swap(shut_, other.shut_);
  std::swap(mark_, other.mark_);
  std::swap(drops_, other.drops_);
  std::swap(changed_flags_, other.changed_flags_);
  std::swap(old_mtu_, other.old_mtu_);
  std::swap(old_ipv6_off_, other.old_ipv6_off_);
  std::swap(old_offloads_, other.old_offloads_);
  std::swap(notes_, other.notes_);
  return *this;
}

WireNetdev::~WireNetdev() {
  undo();
}

// The reverse order: what shuts the netdev goes last. Errors are ignored, the netdev may be gone.
void WireNetdev::undo() noexcept {
  if (claim_ < 0) return;
  if (auto netlink = Netlink::open(NETLINK_ROUTE)) {
    if (changed_flags_ != 0) static_cast<void>(set_flags(*netlink, link_, 0, changed_flags_));
    if (old_mtu_) static_cast<void>(set_mtu(*netlink, link_, *old_mtu_));
  }
  for (const auto& [netdev, names] : old_offloads_) turn_offloads_on(netdev, names);
  if (old_ipv6_off_) static_cast<void>(write_setting(ipv6_off_setting(link_.name), *old_ipv6_off_));
  if (shut_) static_cast<void>(remove_drop_table(link_.name));
  ::close(claim_);
  claim_ = -1;
}

}  // namespace linecrypt::gateway::kernel
