// The kernel behind a port: what it may send, and what it gets.
#include <catch2/catch.hpp>

#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

const MacAddress everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

}  // namespace

TEST_CASE("a kernel that forwards is no way round: the companion sends only what is its own") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  // The widest policy there can be does not help.
  scenario.policies = {policy("everything", PolicyAction::bypass, "0.0.0.0/0", "0.0.0.0/0", 10),
                       policy("everything6", PolicyAction::bypass, "::/0", "::/0", 10)};
  TestGateway gateway(1, scenario);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const auto refused = [&](PortIndex port, const IpAddress& from, const IpAddress& to) {
    return gateway.send(port, Origin::companion, gateway.from_kernel(port, udp_packet(from, to, 1, 2, payload())));
  };
  // Site to circuit, circuit to site, and between circuits.
  CHECK(refused(black_port, gateway.host(family), gateway.far_host(family)) == Verdict::foreign_source);
  CHECK(refused(clear_port, gateway.far_host(family), gateway.host(family)) == Verdict::foreign_source);
  CHECK(refused(second_black_port, gateway.peer(family), gateway.far_host(family)) == Verdict::foreign_source);
  // Addresses of our own, on the wrong port.
  CHECK(refused(black_port, gateway.own(clear_port, family), gateway.far_host(family)) == Verdict::foreign_source);
  CHECK(refused(clear_port, gateway.own(black_port, family), gateway.host(family)) == Verdict::foreign_source);
  // A bridge in the kernel: the MAC is not the port's.
  const Bytes bridged = gateway.from_host(gateway.site_packet(family));
  CHECK(gateway.send(black_port, Origin::companion, bridged) == Verdict::foreign_source);
  // Something else than IP, EAPOL and ARP.
  CHECK(gateway.send(black_port, Origin::companion,
                     ethernet(everyone, gateway.port_mac(black_port), 0x88cc, payload())) ==
        Verdict::unknown_ethertype);
  CHECK(gateway.send(black_port, Origin::companion,
                     ethernet_ip(gateway.peer_mac(), gateway.port_mac(black_port), gateway.site_packet(family),
                                 {{0x8100, 1}})) == Verdict::unknown_ethertype);
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("the companion's own traffic follows the policy and leaves on its own port only") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.policies = {policy("open", PolicyAction::bypass, "192.0.2.0/24", "203.0.113.0/24", 10),
                       policy("host tunnel", PolicyAction::protect, "192.0.2.1/32", "10.2.0.0/16", 20),
                       policy("other circuit", PolicyAction::protect, "198.51.100.1/32", "10.2.0.0/16", 20),
                       policy("quiet", PolicyAction::discard, "10.1.0.1/32", "10.1.0.66/32", 20)};
  scenario.policies[1].tunnel = "site";
  scenario.policies[2].tunnel = "site";
  TestGateway gateway(1, scenario);
  const auto send = [&](PortIndex port, const IpAddress& to) {
    return gateway.send(port, Origin::companion,
                        gateway.from_kernel(port, udp_packet(gateway.own(port), to, 1, 2, payload())));
  };
  SECTION("protected host traffic") {
    CHECK(send(black_port, gateway.far_host()) == Verdict::ok);
    const std::vector<Bytes> sent = gateway.take_wire(black_port);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0][23] == wire::protocol_esp);
  }
  SECTION("no policy") {
    CHECK(send(black_port, gateway.peer()) == Verdict::policy_default);
    CHECK(gateway.take_wire(black_port).empty());
  }
  SECTION("bypass leaves as the kernel addressed it") {
    gateway.clear_expected = true;
    CHECK(send(black_port, address("203.0.113.7")) == Verdict::bypassed);
    const std::vector<Bytes> sent = gateway.take_wire(black_port);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0] == gateway.from_kernel(black_port,
                                         udp_packet(gateway.own(black_port), address("203.0.113.7"), 1, 2, payload())));
  }
  SECTION("a tunnel whose ESP would leave by another port") {
    CHECK(send(second_black_port, gateway.far_host()) == Verdict::no_route);
    check_silent(gateway);
  }
  SECTION("the clear side is the site's own") {
    CHECK(send(clear_port, gateway.host()) == Verdict::ok);
    CHECK(gateway.take_wire(clear_port).size() == 1);
    CHECK(send(clear_port, address("10.1.0.66")) == Verdict::policy_discard);
    CHECK(gateway.take_wire(clear_port).empty());
  }
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("the clear side's companion gets what is for it, and a discard policy stops that") {
  Scenario scenario;
  scenario.policies = {policy("quiet", PolicyAction::discard, "10.1.0.1/32", "10.1.0.66/32", 10)};
  TestGateway gateway(1, scenario);
  const auto send = [&](const IpAddress& from, const IpAddress& to, const MacAddress& to_mac) {
    return gateway.send(clear_port, Origin::wire,
                        ethernet_ip(to_mac, gateway.host_mac(), udp_packet(from, to, 1, 2, payload())));
  };
  const MacAddress own = gateway.port_mac(clear_port);
  const auto punted = [&] { return gateway.take_companion(clear_port).size(); };
  CHECK(send(gateway.host(), gateway.own(clear_port), own) == Verdict::punted);
  CHECK(punted() == 1);
  CHECK(send(gateway.host(Family::ipv6), gateway.own(clear_port, Family::ipv6), own) == Verdict::punted);
  CHECK(punted() == 1);
  CHECK(send(gateway.host(), address("255.255.255.255"), everyone) == Verdict::punted);
  CHECK(send(gateway.host(), address("10.1.255.255"), everyone) == Verdict::punted);
  CHECK(send(gateway.host(), address("224.0.0.5"), mac("01:00:5e:00:00:05")) == Verdict::punted);
  CHECK(punted() == 3);
  CHECK(send(address("10.1.0.66"), gateway.own(clear_port), own) == Verdict::policy_discard);
  // Our other ports' addresses are not this port's, and nobody else is us.
  CHECK(send(gateway.host(), gateway.own(black_port), own) == Verdict::policy_default);
  CHECK(send(gateway.own(clear_port), gateway.far_host(), own) == Verdict::policy_default);
  // A unicast packet for everybody, a group packet for one.
  CHECK(send(gateway.host(), gateway.own(clear_port), everyone) == Verdict::wrong_destination_mac);
  CHECK(send(gateway.host(), gateway.far_host(), everyone) == Verdict::wrong_destination_mac);
  CHECK(send(gateway.host(), address("224.0.0.5"), own) == Verdict::wrong_destination_mac);
  // Nothing of it reached anybody.
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("the black side's companion gets clear traffic only by a policy") {
  Scenario scenario;
  scenario.policies = {policy("peer", PolicyAction::bypass, "192.0.2.1/32", "192.0.2.2/32", 10),
                       policy("hello", PolicyAction::bypass, "224.0.0.5/32", "192.0.2.2/32", 10),
                       policy("mute", PolicyAction::discard, "192.0.2.1/32", "192.0.2.3/32", 10)};
  TestGateway gateway(1, scenario);
  const auto send = [&](const IpAddress& from, const IpAddress& to, const MacAddress& to_mac) {
    return gateway.send(black_port, Origin::wire,
                        ethernet_ip(to_mac, gateway.peer_mac(), udp_packet(from, to, 1, 2, payload())));
  };
  const MacAddress own = gateway.port_mac(black_port);
  const IpAddress us = gateway.own(black_port);
  CHECK(send(gateway.peer(), us, own) == Verdict::punted);
  CHECK(send(gateway.peer(), address("224.0.0.5"), mac("01:00:5e:00:00:05")) == Verdict::punted);
  CHECK(gateway.take_companion(black_port).size() == 2);
  CHECK(send(address("192.0.2.3"), us, own) == Verdict::policy_discard);
  CHECK(send(address("192.0.2.4"), us, own) == Verdict::policy_default);
  CHECK(send(gateway.peer(), address("255.255.255.255"), everyone) == Verdict::policy_default);
  CHECK(send(gateway.peer(), gateway.own(clear_port), own) == Verdict::policy_default);
  CHECK(send(us, us, own) == Verdict::policy_default);  // from ourselves, they say
  check_silent(gateway);
  gateway.check_accounts();
}
