// The kernel's addresses, routes and neighbours of the companions, as the fast path gets them.
#include "host/gateway/kernel/tables.hpp"

#include <poll.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "host/gateway/kernel/companion_tap.hpp"
#include "tests/host/gateway/kernel/net_lab.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::kernel;
using linecrypt::test::NetLab;

namespace {

// Two companions: port 0 is "lan" with 10.0.0.1/24, port 1 is "wan" with 192.0.2.1/24.
struct Companions {
  explicit Companions(NetLab& lab)
      : lan(open(lab, "lan", "02:00:00:00:00:11", "10.0.0.1")),
        wan(open(lab, "wan", "02:00:00:00:00:12", "192.0.2.1")),
        tables(open_tables()) {}

  static CompanionTap open(NetLab& lab, const char* name, const char* mac, const char* address) {
    auto tap = CompanionTap::open(lab.netlink(),
                                  {name, *MacAddress::parse(mac), 1500, {{*IpAddress::parse(address), 24, false}}});
    REQUIRE(tap.ok());
    return std::move(tap).value();
  }
  KernelTables open_tables() {
    auto opened = KernelTables::open({{lan.index(), 0}, {wan.index(), 1}});
    REQUIRE(opened.ok());
    return std::move(opened).value();
  }
  // Until the kernel has no more to tell (IPv6 sets itself up for a while).
  void settle() {
    pollfd ready{tables.descriptor(), POLLIN, 0};
    do static_cast<void>(tables.changed());
    while (::poll(&ready, 1, 300) > 0);
  }
  FibInput read() {
    auto input = tables.read();
    REQUIRE(input.ok());
    return std::move(input).value();
  }

  CompanionTap lan;
  CompanionTap wan;
  KernelTables tables;
};

const FibRoute* route_to(const FibInput& input, const char* prefix) {
  const Prefix wanted = *Prefix::parse(prefix);
  const auto found = std::find_if(input.routes.begin(), input.routes.end(),
                                  [&](const FibRoute& route) { return route.destination == wanted; });
  return found == input.routes.end() ? nullptr : &*found;
}

const FibNeighbour* neighbour_of(const FibInput& input, const char* address) {
  const IpAddress wanted = *IpAddress::parse(address);
  const auto found = std::find_if(input.neighbours.begin(), input.neighbours.end(),
                                  [&](const FibNeighbour& entry) { return entry.address == wanted; });
  return found == input.neighbours.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("Addresses, routes and neighbours of the companions are read, others are not") {
  NetLab lab;
  Companions companions(lab);
  NetLab::veth("other", "far");
  NetLab::run("ip addr add 172.16.0.1/24 dev other");
  NetLab::run("ip route add 10.50.0.0/16 via 10.0.0.2 metric 7");
  NetLab::run("ip route add default via 192.0.2.254");
  NetLab::run("ip route add 10.60.0.0/16 nexthop via 172.16.0.9 dev other nexthop via 10.0.0.3 dev lan");
  NetLab::run("ip route add 10.70.0.0/16 via inet6 fe80::77 dev wan");
  NetLab::run("ip route add blackhole 10.80.0.0/16");
  NetLab::run("ip route add 10.81.0.0/16 dev other");
  NetLab::run("ip route add 10.82.0.0/16 via 10.0.0.2 table 99");
  NetLab::run("ip addr add fd00::1/64 dev lan nodad; ip -6 route add fd99::/32 via fd00::2");
  NetLab::run("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:99 dev lan nud permanent");
  NetLab::run("ip neigh add fd00::2 lladdr 02:00:00:00:00:98 dev lan nud reachable");
  NetLab::run("ip neigh add 10.0.0.4 lladdr 02:00:00:00:00:97 dev lan nud stale");
  NetLab::run("ip neigh add 172.16.0.9 lladdr 02:00:00:00:00:96 dev other nud permanent");
  const FibInput input = companions.read();

  const auto has_address = [&](PortIndex port, const char* address, std::uint8_t length) {
    return std::any_of(input.addresses.begin(), input.addresses.end(), [&](const FibAddress& entry) {
      return entry.port == port && entry.address == *IpAddress::parse(address) && entry.prefix_length == length;
    });
  };
  CHECK(has_address(0, "10.0.0.1", 24));
  CHECK(has_address(0, "fd00::1", 64));
  CHECK(has_address(1, "192.0.2.1", 24));
  CHECK_FALSE(has_address(0, "172.16.0.1", 24));

  const FibRoute* route = route_to(input, "10.50.0.0/16");
  REQUIRE(route != nullptr);
  CHECK(route->port == 0);
  CHECK(route->via == *IpAddress::parse("10.0.0.2"));
  CHECK(route->metric == 7);
  route = route_to(input, "0.0.0.0/0");
  REQUIRE(route != nullptr);
  CHECK(route->port == 1);
  CHECK(route->via == *IpAddress::parse("192.0.2.254"));
  route = route_to(input, "10.60.0.0/16");
  REQUIRE(route != nullptr);
  CHECK(route->port == 0);
  CHECK(route->via == *IpAddress::parse("10.0.0.3"));
  route = route_to(input, "10.70.0.0/16");
  REQUIRE(route != nullptr);
  CHECK(route->via == *IpAddress::parse("fe80::77"));
  route = route_to(input, "fd99::/32");
  REQUIRE(route != nullptr);
  CHECK(route->via == *IpAddress::parse("fd00::2"));
  for (const char* absent : {"10.80.0.0/16", "10.81.0.0/16", "10.82.0.0/16"}) CHECK(route_to(input, absent) == nullptr);

  REQUIRE(neighbour_of(input, "10.0.0.2") != nullptr);
  CHECK(neighbour_of(input, "10.0.0.2")->mac == *MacAddress::parse("02:00:00:00:00:99"));
  CHECK(neighbour_of(input, "fd00::2") != nullptr);
  CHECK(neighbour_of(input, "10.0.0.4") != nullptr);
  CHECK(neighbour_of(input, "172.16.0.9") == nullptr);
  REQUIRE(companions.tables.stale().size() == 1);
  CHECK(companions.tables.stale()[0].address == *IpAddress::parse("10.0.0.4"));
}

TEST_CASE("Changes are told once, by kind, and what concerns other netdevs is not told") {
  NetLab lab;
  NetLab::veth("other", "far");
  Companions companions(lab);
  companions.settle();
  CHECK_FALSE(companions.tables.changed().tables);
  NetLab::run("ip neigh add 172.16.0.9 lladdr 02:00:00:00:00:96 dev other nud permanent");
  CHECK_FALSE(companions.tables.changed().tables);
  NetLab::run("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:99 dev lan nud permanent");
  auto changes = companions.tables.changed();
  CHECK(changes.tables);
  CHECK_FALSE(changes.forwarding);
  CHECK_FALSE(companions.tables.changed().tables);
  NetLab::run("sysctl -qw net.ipv4.ip_forward=1");
  CHECK(companions.tables.changed().forwarding);
  NetLab::run("ip addr add 10.9.0.1/24 dev wan");
  CHECK(companions.tables.changed().tables);
}

TEST_CASE("When the kernel drops notifications everything counts as changed and is read again") {
  NetLab lab;
  Companions companions(lab);
  static_cast<void>(companions.tables.changed());
  // More than any receive buffer holds, and not read in between.
  NetLab::run(
      "for i in $(seq 0 99); do for j in $(seq 0 199); do echo \"route add 10.$((i+100)).$j.0/24 via 10.0.0.2\"; done; "
      "done | ip -batch -");
  const auto changes = companions.tables.changed();
  CHECK(changes.tables);
  CHECK(changes.forwarding);  // nobody told us of it: it is assumed
  CHECK(companions.read().routes.size() >= 20000);
  CHECK_FALSE(companions.tables.changed().tables);
}

TEST_CASE("Asking for a neighbour makes the kernel solicit it on the right companion") {
  NetLab lab;
  Companions companions(lab);
  REQUIRE(companions.tables.resolve(1, *IpAddress::parse("192.0.2.9")).ok());
  bool asked = false;
  pollfd ready{companions.wan.descriptor(), POLLIN, 0};
  while (!asked && ::poll(&ready, 1, 1000) > 0) {
    std::vector<std::uint8_t> frame(2048);
    frame.resize(companions.wan.read(frame));
    asked = frame.size() >= 42 && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 1 && frame[41] == 9;
  }
  CHECK(asked);
  CHECK(neighbour_of(companions.read(), "192.0.2.9") == nullptr);  // no answer, no neighbour
  CHECK_FALSE(companions.tables.resolve(7, *IpAddress::parse("192.0.2.9")).ok());
}
