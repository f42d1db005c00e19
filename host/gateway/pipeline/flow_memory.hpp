// FlowMemory: what the headers of an IPv4 flow led to, so that a gateway asks its tables for a flow and not for each of
// its packets. A cache of the SPD (RFC 4301 4.4.1) that also knows that neither of the flow's ends is an address of
// ours.
//
// An answer holds as long as what it was made from: the SPD, which never changes, and one Fib, whose serial is kept
// with it. What can change from packet to packet (SAs, sealed policies, TTL, length, checksum) is not kept here.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "host/gateway/pipeline/frame.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::gateway {

// Everything that the tables are asked by.
struct FlowKey {
  std::uint64_t addresses = 0;
  std::uint32_t ports = 0;  // 0 where the protocol has none
  PortIndex in_port = no_port;
  std::uint8_t protocol = 0;

  bool operator==(const FlowKey&) const = default;
};

// None: IPv6, options, fragments, and packets too short for the ports that their protocol has are not remembered.
[[nodiscard]] inline std::optional<FlowKey> flow_key(const wire::IpPacket& ip, PortIndex in_port) noexcept {
  if (ip.family != Family::ipv4 || ip.header_length != wire::ipv4_size || ip.fragment) return std::nullopt;
  FlowKey key{.in_port = in_port, .protocol = ip.protocol};
  std::memcpy(&key.addresses, ip.source(), sizeof key.addresses);
  if (wire::has_ports(ip.protocol)) {
    if (ip.l4_length() < sizeof key.ports) return std::nullopt;
    std::memcpy(&key.ports, ip.data + wire::ipv4_size, sizeof key.ports);
  }
  return key;
}

// Of one worker.
class FlowMemory {
 public:
  // What was put for the key under the same tables; none: ask them.
  [[nodiscard]] tables::PolicyEntry* find(const FlowKey& key, std::uint64_t fib_serial) const noexcept {
    const Known& known = known_[place(key)];
    return known.key == key && known.fib_serial == fib_serial ? known.policy : nullptr;
  }
  // Takes the place of another flow.
  void put(const FlowKey& key, std::uint64_t fib_serial, tables::PolicyEntry& policy) noexcept {
    known_[place(key)] = {key, fib_serial, &policy};
  }

 private:
  static constexpr std::uint32_t place_bits = 9;
  struct Known {
    FlowKey key;
    std::uint64_t fib_serial = 0;  // no Fib has 0
    tables::PolicyEntry* policy = nullptr;
  };
  static_assert(sizeof(Known) == 32);

  static std::size_t place(const FlowKey& key) noexcept {
    const std::uint64_t mixed = (key.addresses ^ (std::uint64_t{key.ports} << 24U)) * 0x9e3779b97f4a7c15U;
    return static_cast<std::size_t>((mixed ^ mixed >> 32U) * 0x9e3779b97f4a7c15U >> (64 - place_bits));
  }

  std::array<Known, std::size_t{1} << place_bits> known_{};
};

}  // namespace linecrypt::gateway
