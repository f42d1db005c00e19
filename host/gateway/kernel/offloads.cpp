#include "host/gateway/kernel/offloads.hpp"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace linecrypt::gateway::kernel {

namespace {

// The old one-value commands are enough and every driver has them. `flag` is for those kept in ETHTOOL_GFLAGS.
struct Offload {
  std::string_view name;
  std::uint32_t get;
  std::uint32_t set;
  std::uint32_t flag;
};
// Segmentation before checksums: the kernel turns the former on again only with the latter.
constexpr std::array<Offload, 8> offloads{{
    {"tcp-segmentation-offload", ETHTOOL_GTSO, ETHTOOL_STSO, 0},
    {"generic-segmentation-offload", ETHTOOL_GGSO, ETHTOOL_SGSO, 0},
    {"generic-receive-offload", ETHTOOL_GGRO, ETHTOOL_SGRO, 0},
    {"large-receive-offload", ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_LRO},
    {"rx-vlan-offload", ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_RXVLAN},
    {"tx-vlan-offload", ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_TXVLAN},
    {"tx-checksumming", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM, 0},
    {"rx-checksumming", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM, 0},
}};

constexpr auto names = [] {
  std::array<std::string_view, offloads.size()> result{};
  for (std::size_t i = 0; i < offloads.size(); ++i) result[i] = offloads[i].name;
  return result;
}();

class EthtoolSocket {
 public:
  explicit EthtoolSocket(std::string netdev)
      : netdev_(std::move(netdev)), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~EthtoolSocket() {
    if (socket_ >= 0) ::close(socket_);
  }
  EthtoolSocket(const EthtoolSocket&) = delete;
  EthtoolSocket& operator=(const EthtoolSocket&) = delete;

  // 0 or errno.
  int call(ethtool_value& value) const {
    ifreq request{};
    std::strncpy(request.ifr_name, netdev_.c_str(), sizeof request.ifr_name - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ::ioctl(socket_, SIOCETHTOOL, &request) < 0 ? errno : 0;
  }
  // A netdev without ethtool, or without this offload, does not have it on.
  [[nodiscard]] bool on(const Offload& offload) const {
    ethtool_value value{offload.get, 0};
    if (call(value) != 0) return false;
    return offload.flag == 0 ? value.data != 0 : (value.data & offload.flag) != 0;
  }
  void set(const Offload& offload, bool wanted) const {
    ethtool_value value{offload.set, wanted ? 1U : 0U};
    if (offload.flag != 0) {
      ethtool_value now{offload.get, 0};
      if (call(now) != 0) return;
      value.data = wanted ? now.data | offload.flag : now.data & ~offload.flag;
    }
    static_cast<void>(call(value));
  }
  [[nodiscard]] Result<void> exists() const {
    ifreq request{};
    std::strncpy(request.ifr_name, netdev_.c_str(), sizeof request.ifr_name - 1);
    if (::ioctl(socket_, SIOCGIFINDEX, &request) < 0)
      return Error{fmt::format("netdev {}: {}", netdev_, std::strerror(errno))};
    return {};
  }

 private:
  std::string netdev_;
  int socket_;
};

}  // namespace

std::span<const std::string_view> offload_names() noexcept {
  return names;
}

Result<std::vector<std::string>> offloads_on(const std::string& netdev) {
  const EthtoolSocket socket(netdev);
  if (auto there = socket.exists(); !there) return there.error();
  std::vector<std::string> result;
  for (const Offload& offload : offloads)
    if (socket.on(offload)) result.emplace_back(offload.name);
  return result;
}

Result<std::vector<std::string>> turn_offloads_off(const std::string& netdev) {
  auto before = offloads_on(netdev);
  if (!before) return before.error();
  const EthtoolSocket socket(netdev);
  for (const Offload& offload : offloads)
    if (socket.on(offload)) socket.set(offload, false);
  auto after = offloads_on(netdev);
  if (!after) return after.error();
  if (!after->empty()) {
    turn_offloads_on(netdev, *before);
    return Error{fmt::format("netdev {}: the offload {} cannot be turned off", netdev, fmt::join(*after, ", "))};
  }
  return before;
}

void turn_offloads_on(const std::string& netdev, std::span<const std::string> wanted) noexcept {
  const EthtoolSocket socket(netdev);
  // Backwards: checksums first, what stands on them after.
  for (std::size_t i = offloads.size(); i-- > 0;)
    if (std::find(wanted.begin(), wanted.end(), offloads[i].name) != wanted.end()) socket.set(offloads[i], true);
}

}  // namespace linecrypt::gateway::kernel
