// A network namespace of its own for each test: nothing outside is touched. Needs root; without it the program says so
// and ends with 77, which CTest shows as skipped.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/gateway/kernel/link.hpp"

namespace linecrypt::test {

class NetLab {
 public:
  NetLab();  // the calling thread moves into a fresh namespace with lo up
  NetLab(const NetLab&) = delete;
  NetLab& operator=(const NetLab&) = delete;

  // Runs a shell command; the test fails when it does.
  static void run(const std::string& command);
  static std::string output(const std::string& command);
  // A pair of connected netdevs, both up, IPv6 off.
  static void veth(const std::string& a, const std::string& b);

  gateway::kernel::Netlink& netlink() { return netlink_; }
  gateway::kernel::Link link(const std::string& name);

 private:
  static gateway::kernel::Netlink open();
  gateway::kernel::Netlink netlink_;
};

// An AF_PACKET socket on one netdev.
class PacketSocket {
 public:
  explicit PacketSocket(const std::string& netdev);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  void mark(std::uint32_t value) const;
  void bypass_qdisc() const;
  [[nodiscard]] bool send(std::span<const std::uint8_t> frame) const;
  // True if a frame that ends with `tail` arrives within `milliseconds`.
  [[nodiscard]] bool receives(const std::string& tail, int milliseconds) const;

 private:
  int socket_;
};

// An Ethernet frame with an IPv4 UDP packet (no UDP checksum) that ends with `text`.
std::vector<std::uint8_t> udp_frame(const MacAddress& destination, std::array<std::uint8_t, 4> from,
                                    std::array<std::uint8_t, 4> to, std::uint16_t port, const std::string& text);

}  // namespace linecrypt::test
