// Fib: addresses, routes and neighbours as one immutable snapshot. The control thread builds a new one (from rtnetlink
// or the configuration) and publishes it; the worker reads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "host/gateway/pipeline/frame.hpp"
#include "linecrypt/address.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::gateway {

struct FibRoute {
  Prefix destination;
  PortIndex port = no_port;
  std::optional<IpAddress> via;  // none: on link
  std::uint32_t metric = 0;
};
struct FibNeighbour {
  PortIndex port = no_port;
  IpAddress address;
  MacAddress mac;
};
struct FibAddress {
  PortIndex port = no_port;
  IpAddress address;
  std::uint8_t prefix_length = 32;
};
struct FibInput {
  std::vector<FibRoute> routes;
  std::vector<FibNeighbour> neighbours;
  std::vector<FibAddress> addresses;  // each also gives an on-link route, but for link-local ones
};

struct NextHop {
  PortIndex port = no_port;  // no_port: no route
  bool on_link = false;      // the destination itself is the next hop
  IpAddress address;         // to resolve: the gateway, or the destination itself
};

// Which addresses may be our own or a network's broadcast address. Nearly all that is forwarded is neither, and one
// look here says so; what may be one is then looked up.
class AddressFilter {
 public:
  void insert(Family family, const std::uint8_t* address) noexcept {
    const std::uint32_t bit = place(family, address);
    words_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  [[nodiscard]] bool may_hold(Family family, const std::uint8_t* address) const noexcept {
    const std::uint32_t bit = place(family, address);
    return (words_[bit / 64] >> (bit % 64) & 1U) != 0;
  }

 private:
  static constexpr std::uint32_t bits = 4096;

  static std::uint32_t place(Family family, const std::uint8_t* address) noexcept {
    std::uint32_t hash = wire::load32(address);
    if (family == Family::ipv6)
      hash ^= wire::load32(address + 4) ^ wire::load32(address + 8) ^ wire::load32(address + 12);
    return hash * 0x9e3779b9U >> 20U;
  }

  std::array<std::uint64_t, bits / 64> words_{};
};

class Fib {
 public:
  static std::unique_ptr<const Fib> build(const FibInput& input);
  // Of no other Fib of this process, and never 0: what was learnt from this one can be told from what another said.
  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }
  // Longest prefix, then lowest metric. `destination`: 4 or 16 bytes. Worker; no allocation. Unspecified, loopback,
  // multicast, limited broadcast and link-local addresses have no route (RFC 1812 4.2.2.11, RFC 4291 2.5).
  [[nodiscard]] NextHop route(Family family, const std::uint8_t* destination) const noexcept;
  // Null while unresolved.
  [[nodiscard]] const MacAddress* neighbour(PortIndex port, const IpAddress& address) const noexcept;
  // The port that owns this unicast address; no_port if none. Link-local addresses belong to a link: ask owns().
  [[nodiscard]] PortIndex owner(Family family, const std::uint8_t* address) const noexcept {
    return own_.may_hold(family, address) ? find_owner(family, address) : no_port;
  }
  // True if the address is this port's own, link-local ones included.
  [[nodiscard]] bool owns(PortIndex port, Family family, const std::uint8_t* address) const noexcept {
    return own_.may_hold(family, address) && find_own(port, family, address);
  }
  // True for 255.255.255.255 and the broadcast address of one of the port's IPv4 networks.
  [[nodiscard]] bool broadcast(PortIndex port, Family family, const std::uint8_t* address) const noexcept {
    return own_.may_hold(family, address) && find_broadcast(port, family, address);
  }
  // The port's own first address of the family (for ICMP from the clear side), a routable one first; null if none.
  [[nodiscard]] const IpAddress* first_address(PortIndex port, Family family) const noexcept;
  ~Fib();

 private:
  Fib();
  [[nodiscard]] PortIndex find_owner(Family family, const std::uint8_t* address) const noexcept;
  [[nodiscard]] bool find_own(PortIndex port, Family family, const std::uint8_t* address) const noexcept;
  [[nodiscard]] bool find_broadcast(PortIndex port, Family family, const std::uint8_t* address) const noexcept;

  std::uint64_t serial_;
  AddressFilter own_;  // owners and broadcasts
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::gateway
