#include "host/gateway/pipeline/fib.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "tests/host/gateway/pipeline/packets.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using linecrypt::gateway::test::address;
using linecrypt::gateway::test::mac;
using linecrypt::gateway::test::prefix;

namespace {

PortIndex port_to(const Fib& fib, const char* to) {
  const IpAddress destination = address(to);
  return fib.route(destination.family, destination.bytes.data()).port;
}

bool contains_prefix(const Prefix& outer, const IpAddress& inside) {
  return outer.contains(inside);
}

}  // namespace

TEST_CASE("the longest prefix wins, then the lowest metric, then the first") {
  FibInput input;
  input.routes = {{prefix("0.0.0.0/0"), 1, address("192.0.2.1"), 0}, {prefix("10.0.0.0/8"), 2, std::nullopt, 0},
                  {prefix("10.1.0.0/16"), 3, std::nullopt, 20},      {prefix("10.1.0.0/16"), 4, std::nullopt, 10},
                  {prefix("10.1.0.0/16"), 5, std::nullopt, 10},      {prefix("10.1.2.3/32"), 6, std::nullopt, 0},
                  {prefix("::/0"), 7, address("fe80::1"), 0},        {prefix("2001:db8::/32"), 8, std::nullopt, 0},
                  {prefix("2001:db8::1/128"), 9, std::nullopt, 0}};
  const auto fib = Fib::build(input);
  CHECK(port_to(*fib, "9.255.255.255") == 1);
  CHECK(port_to(*fib, "10.0.0.0") == 2);
  CHECK(port_to(*fib, "10.0.255.255") == 2);
  CHECK(port_to(*fib, "10.1.0.0") == 4);
  CHECK(port_to(*fib, "10.1.2.2") == 4);
  CHECK(port_to(*fib, "10.1.2.3") == 6);
  CHECK(port_to(*fib, "10.1.2.4") == 4);
  CHECK(port_to(*fib, "10.2.0.0") == 2);
  CHECK(port_to(*fib, "10.255.255.255") == 2);
  CHECK(port_to(*fib, "11.0.0.0") == 1);
  CHECK(port_to(*fib, "2001:db8::1") == 9);
  CHECK(port_to(*fib, "2001:db8::2") == 8);
  CHECK(port_to(*fib, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff") == 8);
  CHECK(port_to(*fib, "2001:db9::") == 7);

  const IpAddress to = address("8.8.8.8");
  const NextHop next = fib->route(Family::ipv4, to.bytes.data());
  CHECK(next.address == address("192.0.2.1"));
  CHECK_FALSE(next.on_link);
  const IpAddress near = address("10.7.7.7");
  CHECK(fib->route(Family::ipv4, near.bytes.data()).address == near);
  CHECK(fib->route(Family::ipv4, near.bytes.data()).on_link);
}

TEST_CASE("an empty Fib knows nothing") {
  const auto fib = Fib::build({});
  CHECK(port_to(*fib, "10.0.0.1") == no_port);
  CHECK(port_to(*fib, "2001:db8::1") == no_port);
  CHECK(fib->neighbour(0, address("10.0.0.1")) == nullptr);
  CHECK(fib->owner(Family::ipv4, address("10.0.0.1").bytes.data()) == no_port);
  CHECK(fib->first_address(0, Family::ipv4) == nullptr);
}

TEST_CASE("what has no place beyond its link has no route") {
  FibInput input;
  input.routes = {{prefix("0.0.0.0/0"), 1, std::nullopt, 0}, {prefix("::/0"), 1, std::nullopt, 0}};
  const auto fib = Fib::build(input);
  for (const char* to : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
                         "255.255.255.255", "::", "::1", "fe80::1", "febf::1", "ff02::1", "ff0e::1"}) {
    INFO(to);
    CHECK(port_to(*fib, to) == no_port);
  }
  for (const char* to : {"1.0.0.0", "223.255.255.255", "169.254.1.1", "::2", "fec0::1", "fd00::1"}) {
    INFO(to);
    CHECK(port_to(*fib, to) == 1);
  }
}

TEST_CASE("routes agree with a plain search over every prefix") {
  const std::uint32_t seed = GENERATE(1U, 2U, 3U);
  std::mt19937 random(seed);
  const auto below = [&random](std::uint32_t n) { return static_cast<std::uint8_t>(random() % n); };
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const std::uint32_t bits = family == Family::ipv4 ? 32 : 128;
    // Few different bytes, so that prefixes nest and touch.
    const auto random_address = [&] {
      IpAddress made;
      made.family = family;
      for (std::uint32_t i = 0; i < bits / 8; ++i) made.bytes[i] = static_cast<std::uint8_t>(below(4) * 85);
      made.bytes[0] = static_cast<std::uint8_t>(0x20 + below(2));  // routable
      return made;
    };
    FibInput input;
    for (std::uint32_t i = 0; i < 400; ++i) {
      FibRoute route;
      route.destination.address = random_address();
      route.destination.length = static_cast<std::uint8_t>(random() % (bits + 1));
      for (std::uint32_t bit = route.destination.length; bit < bits; ++bit)
        route.destination.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
      route.port = static_cast<PortIndex>(i);
      route.metric = below(3);
      input.routes.push_back(route);
    }
    const auto fib = Fib::build(input);
    for (int i = 0; i < 4000; ++i) {
      IpAddress to = random_address();
      if (i % 2 == 0) {  // the edges of a prefix
        to = input.routes[random() % input.routes.size()].destination.address;
        if (to.bytes[0] < 0x20) continue;
      }
      const FibRoute* best = nullptr;
      for (const FibRoute& route : input.routes) {
        if (!contains_prefix(route.destination, to)) continue;
        if (best == nullptr || route.destination.length > best->destination.length ||
            (route.destination.length == best->destination.length && route.metric < best->metric))
          best = &route;
      }
      CHECK(fib->route(family, to.bytes.data()).port == (best == nullptr ? no_port : best->port));
    }
  }
}

TEST_CASE("addresses belong to their port, give its network and its broadcast address") {
  FibInput input;
  input.addresses = {{0, address("fe80::1"), 64}, {0, address("2001:db8::1"), 64}, {0, address("10.0.0.1"), 24},
                     {1, address("fe80::1"), 64}, {1, address("10.0.1.1"), 31},    {1, address("10.0.2.129"), 25},
                     {2, address("fe80::2"), 64}};
  const auto fib = Fib::build(input);
  const auto owner = [&](const char* who) {
    const IpAddress one = address(who);
    return fib->owner(one.family, one.bytes.data());
  };
  const auto owns = [&](PortIndex port, const char* who) {
    const IpAddress one = address(who);
    return fib->owns(port, one.family, one.bytes.data());
  };
  CHECK(owner("10.0.0.1") == 0);
  CHECK(owner("10.0.0.2") == no_port);
  CHECK(owner("2001:db8::1") == 0);
  CHECK(owner("fe80::1") == no_port);  // of a link, not of the host
  CHECK(owns(0, "fe80::1"));
  CHECK(owns(1, "fe80::1"));
  CHECK_FALSE(owns(2, "fe80::1"));
  CHECK(owns(1, "10.0.1.1"));
  CHECK_FALSE(owns(0, "10.0.1.1"));

  CHECK(port_to(*fib, "10.0.0.200") == 0);
  CHECK(port_to(*fib, "10.0.2.130") == 1);
  CHECK(port_to(*fib, "10.0.2.1") == no_port);
  const auto broadcast = [&](PortIndex port, const char* to) {
    return fib->broadcast(port, Family::ipv4, address(to).bytes.data());
  };
  CHECK(broadcast(0, "10.0.0.255"));
  CHECK_FALSE(broadcast(1, "10.0.0.255"));
  CHECK(broadcast(1, "10.0.2.255"));
  CHECK_FALSE(broadcast(1, "10.0.1.1"));  // RFC 3021: a /31 has none
  CHECK(broadcast(2, "255.255.255.255"));
  CHECK_FALSE(fib->broadcast(0, Family::ipv6, address("2001:db8::1").bytes.data()));

  CHECK(*fib->first_address(0, Family::ipv6) == address("2001:db8::1"));
  CHECK(*fib->first_address(2, Family::ipv6) == address("fe80::2"));
  CHECK(*fib->first_address(1, Family::ipv4) == address("10.0.1.1"));
  CHECK(fib->first_address(2, Family::ipv4) == nullptr);
}

TEST_CASE("of very many addresses each own and broadcast address is known, and no other") {
  FibInput input;
  std::mt19937 random(7);
  std::set<std::array<std::uint8_t, 16>> known;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    FibAddress own;
    own.port = static_cast<PortIndex>(i % 3);
    own.address = address(i % 2 == 0 ? "10.0.0.0" : "2001:db8::");
    own.prefix_length = i % 2 == 0 ? 32 : 128;
    const std::size_t last = i % 2 == 0 ? 3 : 15;
    for (std::size_t k = 0; k < 3; ++k) own.address.bytes[last - k] = static_cast<std::uint8_t>(random());
    if (known.insert(own.address.bytes).second) input.addresses.push_back(own);
  }
  input.addresses.push_back({0, address("172.16.0.1"), 24});
  const auto fib = Fib::build(input);
  for (const FibAddress& own : input.addresses) {
    const Family family = own.address.family;
    CHECK(fib->owner(family, own.address.bytes.data()) == own.port);
    CHECK(fib->owns(own.port, family, own.address.bytes.data()));
    CHECK_FALSE(fib->owns(static_cast<PortIndex>(own.port + 1), family, own.address.bytes.data()));
    IpAddress next = own.address;
    ++next.bytes[family == Family::ipv4 ? 3 : 15];
    if (known.count(next.bytes) == 0) CHECK(fib->owner(family, next.bytes.data()) == no_port);
  }
  CHECK(fib->broadcast(0, Family::ipv4, address("172.16.0.255").bytes.data()));
  CHECK(fib->broadcast(1, Family::ipv4, address("255.255.255.255").bytes.data()));
}

TEST_CASE("neighbours are of their port, and thousands of them are found") {
  FibInput input;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    FibNeighbour neighbour;
    neighbour.port = static_cast<PortIndex>(i % 3);
    neighbour.address = address(i % 2 == 0 ? "10.0.0.0" : "2001:db8::");
    const std::size_t last = i % 2 == 0 ? 2 : 14;
    neighbour.address.bytes[last] = static_cast<std::uint8_t>(i >> 8U);
    neighbour.address.bytes[last + 1] = static_cast<std::uint8_t>(i);
    neighbour.mac = mac("02:00:00:00:00:00");
    neighbour.mac.bytes[4] = static_cast<std::uint8_t>(i >> 8U);
    neighbour.mac.bytes[5] = static_cast<std::uint8_t>(i);
    input.neighbours.push_back(neighbour);
  }
  const auto fib = Fib::build(input);
  for (const FibNeighbour& neighbour : input.neighbours) {
    const MacAddress* found = fib->neighbour(neighbour.port, neighbour.address);
    REQUIRE(found != nullptr);
    CHECK(*found == neighbour.mac);
    CHECK(fib->neighbour(static_cast<PortIndex>(neighbour.port + 1), neighbour.address) == nullptr);
  }
}
