// WireNetdev: the kernel netdev under an af_packet port, made safe. AF_PACKET copies frames while the kernel still owns
// the netdev, so without these rules the kernel would answer, forward and leak beside the port:
//
//   own        no other linecryptd in this network namespace uses it
//   alone      member of no bridge, bond or other master
//   silent     no address; NOARP; IPv6 off
//   shut       nftables netdev ingress and egress drop, where the kernel has the hooks; our own socket is marked
//   exact      checksum, segmentation, merge and VLAN offloads off, on it and on its veth peer when that is visible
//   open       up, promiscuous, MTU large enough for the port's frames
//
// What cannot be ensured is refused by name. What we changed is undone at a clean end. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/gateway/kernel/drop_table.hpp"
#include "host/gateway/kernel/link.hpp"
#include "host/gateway/kernel/live_rule.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

class WireNetdev {
 public:
  // `payload_mtu`: bytes behind the Ethernet header that the port sends at most, VLAN tags and MACsec included.
  static Result<WireNetdev> secure(Netlink& netlink, const std::string& port, const std::string& netdev,
                                   std::uint32_t payload_mtu);
  WireNetdev(WireNetdev&& other) noexcept;
  WireNetdev& operator=(WireNetdev&& other) noexcept;
  ~WireNetdev();  // undoes

  [[nodiscard]] const std::string& netdev() const noexcept { return link_.name; }
  [[nodiscard]] const MacAddress& mac() const noexcept { return link_.mac; }
  [[nodiscard]] int index() const noexcept { return link_.index; }
  // SO_MARK of the one socket whose frames may leave.
  [[nodiscard]] std::uint32_t mark() const noexcept { return mark_; }
  // Sentences for the log and `status`: what this kernel cannot give.
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }
  // Reads the kernel again; changes nothing.
  [[nodiscard]] std::vector<LiveRule> check_live(Netlink& netlink) const;

 private:
  WireNetdev() = default;
  Result<void> claim();
  Result<void> refuse_neighbours(Netlink& netlink);
  Result<void> silence(Netlink& netlink);
  Result<void> shut();
  Result<void> make_exact(Netlink& netlink);
  Result<void> open_up(Netlink& netlink, std::uint32_t payload_mtu);
  void undo() noexcept;

  std::string port_;
  Link link_;  // as found
  std::uint32_t payload_mtu_ = 0;
  int claim_ = -1;  // socket bound to the netdev's name
  bool shut_ = false;
  std::uint32_t mark_ = 0;
  DropTable drops_;
  std::uint32_t changed_flags_ = 0;  // IFF_* bits that we turned on
  std::optional<std::uint32_t> old_mtu_;
  std::optional<std::string> old_ipv6_off_;
  std::vector<std::pair<std::string, std::vector<std::string>>> old_offloads_;  // netdev, names
  std::vector<std::string> notes_;
};

}  // namespace linecrypt::gateway::kernel
