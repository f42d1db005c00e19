// Companion TAPs: real frames through the kernel's stack, and forwarding that stays off.
#include "host/gateway/kernel/companion_tap.hpp"

#include <poll.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "host/gateway/kernel/setting.hpp"
#include "tests/host/gateway/kernel/net_lab.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway::kernel;
using Catch::Matchers::Contains;
using linecrypt::test::NetLab;

namespace {

CompanionSettings settings() {
  CompanionSettings result;
  result.netdev = "lc-lan";
  result.mac = *MacAddress::parse("02:00:00:00:00:11");
  result.mtu = 1400;
  result.addresses = {{*IpAddress::parse("10.0.0.1"), 24, false}, {*IpAddress::parse("fd00::1"), 64, false}};
  return result;
}

std::vector<std::uint8_t> arp_request(std::array<std::uint8_t, 4> target) {
  std::vector<std::uint8_t> frame(6, 0xff);
  const std::uint8_t rest[] = {0x02, 0, 0, 0, 0, 0x99, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1,
                               0x02, 0, 0, 0, 0, 0x99, 10,   0,    0, 9, 0, 0, 0, 0, 0, 0};
  frame.insert(frame.end(), std::begin(rest), std::end(rest));
  frame.insert(frame.end(), target.begin(), target.end());
  return frame;
}

// The kernel's next ARP reply, or nothing.
std::vector<std::uint8_t> arp_reply(CompanionTap& tap, int milliseconds) {
  pollfd ready{tap.descriptor(), POLLIN, 0};
  while (::poll(&ready, 1, milliseconds) > 0) {
    std::vector<std::uint8_t> frame(2048);
    frame.resize(tap.read(frame));
    if (frame.size() >= 42 && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 2) return frame;
  }
  return {};
}

}  // namespace

TEST_CASE("A companion has the port's MAC, MTU and addresses, and answers for them only") {
  NetLab lab;
  NetLab::veth("other", "far");
  NetLab::run("ip addr add 10.7.7.7/24 dev other");
  {
    auto tap = CompanionTap::open(lab.netlink(), settings());
    REQUIRE(tap.ok());
    const Link link = lab.link("lc-lan");
    CHECK(link.mac == settings().mac);
    CHECK(link.mtu == 1400);
    CHECK(link.index == tap->index());
    const auto addresses = list_addresses(lab.netlink(), link.index);
    REQUIRE(addresses.ok());
    std::size_t configured = 0;
    for (const LinkAddress& address : *addresses)
      if (!address.link_local) ++configured;
    CHECK(configured == 2);

    REQUIRE(tap->write(arp_request({10, 0, 0, 1})));
    const auto reply = arp_reply(*tap, 3000);
    REQUIRE(reply.size() >= 42);
    CHECK(std::memcmp(reply.data() + 22, settings().mac.bytes.data(), 6) == 0);
    // Another netdev's address is none of this port's business (arp_ignore).
    REQUIRE(tap->write(arp_request({10, 7, 7, 7})));
    CHECK(arp_reply(*tap, 200).empty());
    std::vector<std::uint8_t> room(2048);
    CHECK(tap->read(room) <= room.size());
  }
  CHECK_THAT(NetLab::output("ip link"), !Contains("lc-lan"));
}

TEST_CASE("A companion does not take a name that exists") {
  NetLab lab;
  NetLab::run("ip tuntap add lc-lan mode tap");
  const auto tap = CompanionTap::open(lab.netlink(), settings());
  REQUIRE_FALSE(tap.ok());
  CHECK_THAT(tap.error().message, Contains("lc-lan") && Contains("exists already"));
}

TEST_CASE("Forwarding is off on a companion whatever the host says, and off again when asked") {
  NetLab lab;
  NetLab::run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1");
  const auto tap = CompanionTap::open(lab.netlink(), settings());
  REQUIRE(tap.ok());
  CHECK_FALSE(read_forwarding("lc-lan").ipv4);
  CHECK_FALSE(read_forwarding("lc-lan").ipv6);
  NetLab::run("sysctl -qw net.ipv4.conf.lc-lan.forwarding=1 net.ipv6.conf.lc-lan.forwarding=2");
  CHECK(read_forwarding("lc-lan").ipv4);
  CHECK(read_forwarding("lc-lan").ipv6);
  REQUIRE(forbid_forwarding("lc-lan").ok());
  CHECK_FALSE(read_forwarding("lc-lan").ipv4);
  CHECK_FALSE(read_forwarding("lc-lan").ipv6);
}

TEST_CASE("What is not there is not forwarded, and not silently allowed") {
  NetLab lab;
  CHECK_FALSE(forbid_forwarding("absent").ok());
  CHECK_FALSE(read_setting("net/ipv4/conf/absent/forwarding").has_value());
  CHECK_FALSE(write_setting("net/ipv4/conf/absent/forwarding", "0").ok());
  REQUIRE(write_setting("net/ipv4/conf/lo/forwarding", "1").ok());
  CHECK(read_setting("net/ipv4/conf/lo/forwarding") == "1");
  const auto wrong = write_setting("net/ipv4/conf/lo/forwarding", "nonsense");
  REQUIRE_FALSE(wrong.ok());
  CHECK_THAT(wrong.error().message, Contains("forwarding"));
}
