#include "host/gateway/kernel/offloads.hpp"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace linecrypt::gateway::kernel {

namespace {

constexpr std::uint32_t features_per_block = 32;

// One netdev's features, by the kernel's own names, so that kinds it learns later are found as well.
class Features {
 public:
  static Result<Features> open(const std::string& netdev) {
    Features features(netdev);
    if (auto read = features.read_names(); !read)
      return Error{fmt::format("netdev {}: reading its offloads: {}", netdev, read.error().message)};
    return features;
  }
  Features(Features&& other) noexcept
      : netdev_(std::move(other.netdev_)), socket_(std::exchange(other.socket_, -1)), names_(std::move(other.names_)) {}
  Features& operator=(Features&&) = delete;
  ~Features() {
    if (socket_ >= 0) ::close(socket_);
  }

  // Names of those that are on and alter frames.
  [[nodiscard]] Result<std::vector<std::string>> on() const {
    std::vector<std::uint32_t> memory(2 + blocks() * sizeof(ethtool_get_features_block) / 4);
    auto* get = reinterpret_cast<ethtool_gfeatures*>(memory.data());
    get->cmd = ETHTOOL_GFEATURES;
    get->size = blocks();
    if (const int error = call(get); error != 0)
      return Error{fmt::format("netdev {}: reading its offloads: {}", netdev_, std::strerror(error))};
    std::vector<std::string> result;
    for (std::uint32_t i = 0; i < names_.size(); ++i) {
      const bool active = (get->features[i / features_per_block].active >> (i % features_per_block) & 1U) != 0;
      if (active && alters_frames(names_[i])) result.push_back(names_[i]);
    }
    return result;
  }

  void set(std::span<const std::string> wanted, bool on) const {
    std::vector<std::uint32_t> memory(2 + blocks() * sizeof(ethtool_set_features_block) / 4);
    auto* set = reinterpret_cast<ethtool_sfeatures*>(memory.data());
    set->cmd = ETHTOOL_SFEATURES;
    set->size = blocks();
    for (std::uint32_t i = 0; i < names_.size(); ++i) {
      if (std::find(wanted.begin(), wanted.end(), names_[i]) == wanted.end()) continue;
      const std::uint32_t bit = 1U << (i % features_per_block);
      set->features[i / features_per_block].valid |= bit;
      if (on) set->features[i / features_per_block].requested |= bit;
    }
    static_cast<void>(call(set));
  }

 private:
  explicit Features(std::string netdev)
      : netdev_(std::move(netdev)), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

  [[nodiscard]] std::uint32_t blocks() const noexcept {
    return (static_cast<std::uint32_t>(names_.size()) + features_per_block - 1) / features_per_block;
  }

  // 0 or errno.
  int call(void* command) const {
    ifreq request{};
    std::strncpy(request.ifr_name, netdev_.c_str(), sizeof request.ifr_name - 1);
    request.ifr_data = static_cast<char*>(command);
    return ::ioctl(socket_, SIOCETHTOOL, &request) < 0 ? errno : 0;
  }

  Result<void> read_names() {
    std::vector<std::uint32_t> memory((sizeof(ethtool_sset_info) + 4) / 4);
    auto* info = reinterpret_cast<ethtool_sset_info*>(memory.data());
    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = std::uint64_t{1} << ETH_SS_FEATURES;
    if (const int error = call(info); error != 0) return Error{std::strerror(error)};
    const std::uint32_t count = info->sset_mask != 0 ? info->data[0] : 0;

    std::vector<std::uint32_t> text((sizeof(ethtool_gstrings) + std::size_t{count} * ETH_GSTRING_LEN + 3) / 4);
    auto* strings = reinterpret_cast<ethtool_gstrings*>(text.data());
    strings->cmd = ETHTOOL_GSTRINGS;
    strings->string_set = ETH_SS_FEATURES;
    strings->len = count;
    if (const int error = call(strings); error != 0) return Error{std::strerror(error)};
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto* name = reinterpret_cast<const char*>(strings->data) + std::size_t{i} * ETH_GSTRING_LEN;
      names_.emplace_back(name, ::strnlen(name, ETH_GSTRING_LEN));
    }
    return {};
  }

  std::string netdev_;
  int socket_;
  std::vector<std::string> names_;
};

}  // namespace

bool alters_frames(std::string_view feature) noexcept {
  const auto has = [&](std::string_view part) { return feature.find(part) != std::string_view::npos; };
  if (has("checksum") || has("segmentation")) return true;
  if (feature.starts_with("rx-gro") || feature == "rx-lro" || feature == "rx-udp-gro-forwarding") return true;
  return has("vlan") && (has("hw-parse") || has("hw-insert"));
}

Result<std::vector<std::string>> offloads_on(const std::string& netdev) {
  auto features = Features::open(netdev);
  if (!features) return features.error();
  return features->on();
}

Result<std::vector<std::string>> turn_offloads_off(const std::string& netdev) {
  auto features = Features::open(netdev);
  if (!features) return features.error();
  auto before = features->on();
  if (!before) return before.error();
  features->set(*before, false);
  auto after = features->on();
  if (!after) return after.error();
  if (after->empty()) return before;
  features->set(*before, true);
  return Error{fmt::format("netdev {}: the offload {} cannot be turned off", netdev, fmt::join(*after, ", "))};
}

void turn_offloads_on(const std::string& netdev, std::span<const std::string> names) noexcept {
  if (auto features = Features::open(netdev)) features->set(names, true);
}

}  // namespace linecrypt::gateway::kernel
