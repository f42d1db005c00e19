#include "host/gateway/kernel/companion_tap.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/gateway/kernel/setting.hpp"

namespace linecrypt::gateway::kernel {

namespace {

std::string setting_of(const char* family, const std::string& netdev, const char* what) {
  return fmt::format("net/{}/conf/{}/{}", family, netdev, what);
}

// The TAP answers for its own port's addresses only, and takes no configuration from the network.
Result<void> configure(const std::string& netdev, bool wants_ipv6) {
  for (const auto& [what, value] : {std::pair{"arp_ignore", "1"}, std::pair{"arp_announce", "2"}})
    if (auto written = write_setting(setting_of("ipv4", netdev, what), value); !written) return written.error();
  const std::string ipv6_off = setting_of("ipv6", netdev, "disable_ipv6");
  const auto now = read_setting(ipv6_off);
  if (!now) {
    if (wants_ipv6)
      return Error{fmt::format("companion {}: IPv6 addresses configured, but this kernel has no IPv6", netdev)};
    return {};
  }
  if (*now != "0")
    if (auto written = write_setting(ipv6_off, "0"); !written && wants_ipv6) return written.error();
  // accept_dad: the port has its MAC for itself, and without a link-local address that is ready at once the kernel
  // would not solicit neighbours for the first seconds.
  for (const char* what : {"accept_ra", "autoconf", "accept_redirects", "accept_dad"})
    if (read_setting(setting_of("ipv6", netdev, what)))
      if (auto written = write_setting(setting_of("ipv6", netdev, what), "0"); !written) return written.error();
  return {};
}

}  // namespace

Forwarding read_forwarding(const std::string& netdev) {
  // Anything but a plain 0 counts as on (IPv6 has values above 1).
  const auto on = [&](const char* family) {
    const auto value = read_setting(setting_of(family, netdev, "forwarding"));
    return value && *value != "0";
  };
  return {on("ipv4"), on("ipv6")};
}

Result<void> forbid_forwarding(const std::string& netdev) {
  for (const char* family : {"ipv4", "ipv6"}) {
    const std::string name = setting_of(family, netdev, "forwarding");
    const auto now = read_setting(name);
    if (!now) {
      if (std::string_view(family) == "ipv6") continue;  // a kernel without IPv6 forwards none
      return Error{fmt::format("companion {}: /proc/sys/{} cannot be read", netdev, name)};
    }
    if (*now == "0") continue;
    if (auto written = write_setting(name, "0"); !written)
      return Error{fmt::format("companion {}: forwarding must be off: {}", netdev, written.error().message)};
  }
  return {};
}

Result<CompanionTap> CompanionTap::open(Netlink& netlink, const CompanionSettings& settings) {
  // 1. IFF_TUN_EXCL: never join a TAP that someone else made.
  CompanionTap tap;
  tap.netdev_ = settings.netdev;
  tap.descriptor_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap.descriptor_ < 0)
    return Error{fmt::format("companion {}: /dev/net/tun: {}", settings.netdev, std::strerror(errno))};
  ifreq request{};
  std::strncpy(request.ifr_name, settings.netdev.c_str(), sizeof request.ifr_name - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
  if (::ioctl(tap.descriptor_, TUNSETIFF, &request) < 0) {
    const int error = errno;
    return Error{fmt::format("companion {}: {}", settings.netdev,
                             error == EBUSY || error == EEXIST || error == EINVAL
                                 ? "a netdev of this name exists already"
                                 : std::strerror(error))};
  }
  // 2. The port's MAC and MTU.
  auto link = find_link(netlink, settings.netdev);
  if (!link) return link.error();
  tap.index_ = link->index;
  if (auto set = set_mac(netlink, *link, settings.mac); !set) return set.error();
  if (auto set = set_mtu(netlink, *link, settings.mtu); !set) return set.error();
  // 3. Forwarding off while it is still down.
  if (auto forbidden = forbid_forwarding(settings.netdev); !forbidden) return forbidden.error();
  const bool wants_ipv6 = std::any_of(settings.addresses.begin(), settings.addresses.end(),
                                      [](const LinkAddress& a) { return a.address.family == Family::ipv6; });
  if (auto configured = configure(settings.netdev, wants_ipv6); !configured) return configured.error();
  // 4. Up, then addresses (IPv6 ones are lost on a netdev that is down).
  if (auto up = set_flags(netlink, *link, IFF_UP, IFF_UP); !up) return up.error();
  for (const LinkAddress& address : settings.addresses)
    if (auto added = add_address(netlink, *link, address.address, address.prefix_length); !added) return added.error();
  return tap;
}

CompanionTap::CompanionTap(CompanionTap&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), index_(other.index_), netdev_(std::move(other.netdev_)) {}

CompanionTap& CompanionTap::operator=(CompanionTap&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(index_, other.index_);
  std::swap(netdev_, other.netdev_);
  return *this;
}

CompanionTap::~CompanionTap() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint32_t CompanionTap::read(std::span<std::uint8_t> into) noexcept {
  const ssize_t got = ::read(descriptor_, into.data(), into.size());
  return got > 0 ? static_cast<std::uint32_t>(got) : 0;
}

bool CompanionTap::write(std::span<const std::uint8_t> frame) noexcept {
  return ::write(descriptor_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

}  // namespace linecrypt::gateway::kernel
