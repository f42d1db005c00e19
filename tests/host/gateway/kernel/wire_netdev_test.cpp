// The netdev under an af_packet port: refusals, what is set, what is undone, what a check finds.
#include "host/gateway/kernel/wire_netdev.hpp"

#include <catch2/catch.hpp>

#include "host/gateway/kernel/offloads.hpp"
#include "host/gateway/kernel/setting.hpp"
#include "tests/host/gateway/kernel/net_lab.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway::kernel;
using Catch::Matchers::Contains;
using linecrypt::test::NetLab;

namespace {

RuleState state_of(const WireNetdev& wire, NetLab& lab, const std::string& rule) {
  for (const LiveRule& found : wire.check_live(lab.netlink()))
    if (found.rule == rule) return found.state;
  FAIL("no rule " << rule);
  return RuleState::unknown;
}

std::string features() {
  return NetLab::output("ethtool -k wire; ethtool -k far; ip -o link show wire");
}

}  // namespace

TEST_CASE("A netdev that is missing, not Ethernet, has an address or a master is refused by name") {
  NetLab lab;
  NetLab::veth("wire", "far");
  const auto refusal = [&](const char* netdev) {
    const auto wire = WireNetdev::secure(lab.netlink(), "wan", netdev, 1500);
    REQUIRE_FALSE(wire.ok());
    return wire.error().message;
  };
  CHECK_THAT(refusal("absent"), Contains("port wan") && Contains("'absent'") && Contains("wire"));
  CHECK_THAT(refusal("lo"), Contains("port wan") && Contains("lo is not Ethernet"));

  NetLab::run("ip addr add 192.0.2.7/24 dev wire");
  CHECK_THAT(refusal("wire"), Contains("192.0.2.7/24"));
  NetLab::run("ip addr flush dev wire");

  NetLab::run("ip link add br0 type bridge; ip link set wire master br0");
  CHECK_THAT(refusal("wire"), Contains("'br0'"));
  NetLab::run("ip link set wire nomaster");

  CHECK(NetLab::output("nft list ruleset").empty());
  CHECK(WireNetdev::secure(lab.netlink(), "wan", "wire", 1500).ok());
}

TEST_CASE("One netdev is claimed once; the claim ends with its owner") {
  NetLab lab;
  NetLab::veth("wire", "far");
  {
    const auto first = WireNetdev::secure(lab.netlink(), "wan", "wire", 1500);
    REQUIRE(first.ok());
    const auto second = WireNetdev::secure(lab.netlink(), "other", "wire", 1500);
    REQUIRE_FALSE(second.ok());
    CHECK_THAT(second.error().message, Contains("wire is in use by another linecryptd"));
    CHECK(state_of(*first, lab, "nftables ingress drop") == RuleState::ok);
  }
  CHECK(WireNetdev::secure(lab.netlink(), "wan", "wire", 1500).ok());
}

TEST_CASE("Everything is set while it is held and as before when it is let go") {
  NetLab lab;
  NetLab::veth("wire", "far");
  NetLab::run("sysctl -qw net.ipv6.conf.wire.disable_ipv6=0");
  const std::string before = features();
  {
    auto wire = WireNetdev::secure(lab.netlink(), "wan", "wire", 1600);
    REQUIRE(wire.ok());
    NetLab::run("ip link set wire promisc on");  // the driver's part
    for (const LiveRule& rule : wire->check_live(lab.netlink())) {
      INFO(rule.rule << ": " << rule.found);
      CHECK(rule.state == RuleState::ok);
    }
    CHECK(lab.link("wire").mtu == 1600);
    CHECK(read_setting("net/ipv6/conf/wire/disable_ipv6") == "1");
    CHECK(offloads_on("wire")->empty());
    CHECK(offloads_on("far")->empty());  // the peer is here: visible
    CHECK_FALSE(wire->notes().empty() == false);
    WireNetdev moved = std::move(wire).value();
    CHECK(state_of(moved, lab, "NOARP") == RuleState::ok);
  }
  NetLab::run("ip link set wire promisc off");
  CHECK(features() == before);
  CHECK(read_setting("net/ipv6/conf/wire/disable_ipv6") == "0");
  CHECK(NetLab::output("nft list ruleset").empty());
}

TEST_CASE("A netdev that goes away is seen, and letting it go then is harmless") {
  NetLab lab;
  NetLab::veth("wire", "far");
  const auto wire = WireNetdev::secure(lab.netlink(), "wan", "wire", 1500);
  REQUIRE(wire.ok());
  NetLab::run("ip link del wire");
  CHECK(state_of(*wire, lab, "netdev present") == RuleState::violated);
  NetLab::veth("wire", "far");
  CHECK(state_of(*wire, lab, "netdev present") == RuleState::violated);  // not the same one
}

TEST_CASE("Features that alter frames are told from those that do not") {
  for (const char* name : {"tx-checksum-ip-generic", "rx-checksum", "tx-tcp-segmentation", "tx-generic-segmentation",
                           "rx-gro", "rx-gro-hw", "rx-gro-list", "rx-lro", "rx-vlan-hw-parse", "tx-vlan-hw-insert",
                           "tx-vlan-stag-hw-insert", "tx-udp-segmentation", "tx-tcp6-segmentation"})
    CHECK(alters_frames(name));
  for (const char* name : {"highdma", "tx-scatter-gather", "rx-hashing", "loopback", "tx-gso-robust", "netns-local"})
    CHECK_FALSE(alters_frames(name));
}
