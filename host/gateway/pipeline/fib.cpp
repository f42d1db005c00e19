#include "host/gateway/pipeline/fib.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "host/gateway/pipeline/address_map.hpp"
#include "host/gateway/pipeline/ip_scope.hpp"
#include "host/gateway/pipeline/range_table.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::gateway {

namespace {

using Key4 = std::uint32_t;
using Key6 = unsigned __int128;

Key4 key4(const std::uint8_t* address) noexcept {
  return wire::load32(address);
}
Key6 key6(const std::uint8_t* address) noexcept {
  return Key6{wire::load64(address)} << 64U | wire::load64(address + 8);
}

// First and last address of a prefix. Host bits in `address` do not matter.
template <typename Key>
typename RangeTable<Key>::Entry range(Key address, std::uint32_t length, std::uint32_t metric, std::uint32_t value) {
  constexpr std::uint32_t bits = sizeof(Key) * 8;
  const Key host = length >= bits ? Key{0} : static_cast<Key>(static_cast<Key>(~Key{0}) >> length);
  return {static_cast<Key>(address & static_cast<Key>(~host)), static_cast<Key>(address | host), metric, value};
}

constexpr std::uint8_t limited_broadcast[] = {255, 255, 255, 255};

struct Hop {
  PortIndex port = no_port;
  bool on_link = true;
  IpAddress via;
};

}  // namespace

struct Fib::Impl {
  RangeTable<Key4> routes4;
  RangeTable<Key6> routes6;
  std::vector<Hop> hops;  // what the tables' values index
  AddressMap<MacAddress> neighbours;
  AddressMap<PortIndex> owners;  // under no_port, and under the port itself
  AddressMap<bool> broadcasts;
  std::vector<FibAddress> addresses;
};

Fib::Fib() : impl_(std::make_unique<Impl>()) {
  static std::atomic<std::uint64_t> last{0};
  serial_ = last.fetch_add(1, std::memory_order_relaxed) + 1;
}
Fib::~Fib() = default;

std::unique_ptr<const Fib> Fib::build(const FibInput& input) {
  std::unique_ptr<Fib> fib(new Fib);
  Impl& impl = *fib->impl_;
  std::vector<RangeTable<Key4>::Entry> entries4;
  std::vector<RangeTable<Key6>::Entry> entries6;
  const auto add_route = [&](const IpAddress& address, std::uint8_t length, std::uint32_t metric, const Hop& hop) {
    const auto value = static_cast<std::uint32_t>(impl.hops.size());
    impl.hops.push_back(hop);
    if (address.family == Family::ipv4)
      entries4.push_back(range<Key4>(key4(address.bytes.data()), length, metric, value));
    else
      entries6.push_back(range<Key6>(key6(address.bytes.data()), length, metric, value));
  };

  // 1. Addresses: who owns them, the networks they are on, those networks' broadcast addresses.
  impl.addresses = input.addresses;
  impl.owners = AddressMap<PortIndex>(input.addresses.size() * 2);
  impl.broadcasts = AddressMap<bool>(input.addresses.size());
  fib->own_.insert(Family::ipv4, limited_broadcast);
  for (const FibAddress& own : input.addresses) {
    const std::uint8_t* bytes = own.address.bytes.data();
    const Family family = own.address.family;
    impl.owners.insert(own.port, family, bytes, own.port);
    fib->own_.insert(family, bytes);
    if (is_link_local(family, bytes)) continue;
    impl.owners.insert(no_port, family, bytes, own.port);
    add_route(own.address, own.prefix_length, 0, Hop{own.port, true, {}});
    if (family == Family::ipv4 && own.prefix_length <= 30) {
      std::uint8_t last[4];
      wire::store32(last, range<Key4>(key4(bytes), own.prefix_length, 0, 0).last);
      impl.broadcasts.insert(own.port, family, last, true);
      fib->own_.insert(family, last);
    }
  }

  // 2. Routes. A network of an own address comes before a route of the same prefix and metric.
  for (const FibRoute& route : input.routes) {
    if (route.port == no_port) continue;
    add_route(route.destination.address, route.destination.length, route.metric,
              Hop{route.port, !route.via.has_value(), route.via.value_or(IpAddress{})});
  }
  impl.routes4.build(std::move(entries4));
  impl.routes6.build(std::move(entries6));

  // 3. Neighbours.
  impl.neighbours = AddressMap<MacAddress>(input.neighbours.size());
  for (const FibNeighbour& neighbour : input.neighbours)
    impl.neighbours.insert(neighbour.port, neighbour.address.family, neighbour.address.bytes.data(), neighbour.mac);
  return fib;
}

NextHop Fib::route(Family family, const std::uint8_t* destination) const noexcept {
  if (!is_routable(family, destination)) return {};
  const std::uint32_t value =
      family == Family::ipv4 ? impl_->routes4.find(key4(destination)) : impl_->routes6.find(key6(destination));
  if (value == RangeTable<Key4>::none) return {};
  const Hop& hop = impl_->hops[value];
  NextHop next{hop.port, hop.on_link, hop.via};
  if (hop.on_link) {
    next.address.family = family;
    std::memcpy(next.address.bytes.data(), destination, family == Family::ipv4 ? 4 : 16);
  }
  return next;
}

const MacAddress* Fib::neighbour(PortIndex port, const IpAddress& address) const noexcept {
  return impl_->neighbours.find(port, address.family, address.bytes.data());
}

PortIndex Fib::find_owner(Family family, const std::uint8_t* address) const noexcept {
  const PortIndex* port = impl_->owners.find(no_port, family, address);
  return port == nullptr ? no_port : *port;
}

bool Fib::find_own(PortIndex port, Family family, const std::uint8_t* address) const noexcept {
  return impl_->owners.find(port, family, address) != nullptr;
}

bool Fib::find_broadcast(PortIndex port, Family family, const std::uint8_t* address) const noexcept {
  if (family != Family::ipv4) return false;
  return is_limited_broadcast(family, address) || impl_->broadcasts.find(port, family, address) != nullptr;
}

const IpAddress* Fib::first_address(PortIndex port, Family family) const noexcept {
  const IpAddress* link_local = nullptr;
  for (const FibAddress& own : impl_->addresses) {
    if (own.port != port || own.address.family != family) continue;
    if (!is_link_local(family, own.address.bytes.data())) return &own.address;
    if (link_local == nullptr) link_local = &own.address;
  }
  return link_local;
}

}  // namespace linecrypt::gateway
