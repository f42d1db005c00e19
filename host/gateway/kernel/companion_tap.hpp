// CompanionTap: a port's TAP in the kernel, where addresses, routes and daemons live as operators expect them. It must
// never become a way round the policy: forwarding is off on it, v4 and v6, or it does not come up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/gateway/kernel/link.hpp"
#include "linecrypt/address.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

struct CompanionSettings {
  std::string netdev;
  MacAddress mac;
  std::uint32_t mtu = 1500;
  std::vector<LinkAddress> addresses;
};

class CompanionTap {
 public:
  // Makes the TAP, down; an error if a netdev of that name exists.
  static Result<CompanionTap> open(Netlink& netlink, const CompanionSettings& settings);
  CompanionTap(CompanionTap&& other) noexcept;
  CompanionTap& operator=(CompanionTap&& other) noexcept;
  ~CompanionTap();  // the kernel removes the netdev with its last descriptor

  // ---- worker: one system call a frame; this is the slow path ----
  // Bytes of the next frame, or 0 when there is none.
  [[nodiscard]] std::uint32_t read(std::span<std::uint8_t> into) noexcept;
  // False when the kernel did not take it.
  [[nodiscard]] bool write(std::span<const std::uint8_t> frame) noexcept;

  // ---- control thread ----
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] int index() const noexcept { return index_; }
  [[nodiscard]] const std::string& netdev() const noexcept { return netdev_; }

 private:
  CompanionTap() = default;
  int descriptor_ = -1;
  int index_ = 0;
  std::string netdev_;
};

// Whether forwarding is on for a netdev, by family; an absent family is off.
struct Forwarding {
  bool ipv4 = false;
  bool ipv6 = false;
};
[[nodiscard]] Forwarding read_forwarding(const std::string& netdev);
// Writes 0 for both and reads back. `sysctl net.ipv4.ip_forward=1` turns it on for every netdev at once, so this is
// called again whenever the kernel tells of a change.
Result<void> forbid_forwarding(const std::string& netdev);

}  // namespace linecrypt::gateway::kernel
