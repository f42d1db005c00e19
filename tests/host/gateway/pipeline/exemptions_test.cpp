// Each exemption works, and each near miss of it is dropped.
#include <catch2/catch.hpp>
#include <functional>

#include "host/gateway/pipeline/exemptions.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

struct Case {
  const char* what;
  Bytes frame;
  Verdict verdict;
};

// Runs the cases; a frame that is let through goes to one place and nowhere else.
void run(TestGateway& gateway, PortIndex port, Origin origin, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    INFO(one.what);
    const Verdict verdict = gateway.send(port, origin, one.frame);
    INFO("verdict " << name(verdict) << ", expected " << name(one.verdict));
    CHECK(verdict == one.verdict);
    for (const PortIndex other : {clear_port, black_port, second_black_port}) {
      const std::size_t wire = gateway.take_wire(other).size();
      const std::size_t companion = gateway.take_companion(other).size();
      const bool let_through = one.verdict == Verdict::exempt || one.verdict == Verdict::punted;
      CHECK(wire == (let_through && origin == Origin::companion && other == port ? 1 : 0));
      CHECK(companion == (let_through && origin == Origin::wire && other == port ? 1 : 0));
    }
  }
  gateway.check_accounts();
}

Bytes marked(Bytes front, const char* text = "IKE") {
  for (const char* c = text; *c != 0; ++c) front.push_back(static_cast<std::uint8_t>(*c));
  return front;
}

Bytes with(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes.at(at) = value;
  return bytes;
}

const Bytes ike_body = marked({}, "an IKE message, not a fragment");
const Bytes ike_with_marker = marked({0, 0, 0, 0}, "an IKE message behind the marker");
const MacAddress all_nodes = {{0x33, 0x33, 0, 0, 0, 1}};
const MacAddress everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

}  // namespace

TEST_CASE("EAPOL from the wire reaches its port's companion, only by the PAE group addresses or the own MAC") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  TestGateway gateway(1, scenario);
  const PortIndex port = scenario.macsec ? black_port : GENERATE(clear_port, black_port);
  const auto eapol = [&](const char* to) {
    return ethernet(mac(to), gateway.peer_mac(), wire::ethertype_eapol, {3, 5, 0, 0});
  };
  Bytes to_us = eapol("00:00:00:00:00:00");
  std::copy_n(gateway.port_mac(port).bytes.begin(), 6, to_us.begin());
  run(gateway, port, Origin::wire,
      {
          {"nearest non-TPMR bridge group", eapol("01:80:c2:00:00:03"), Verdict::exempt},
          {"nearest customer bridge group", eapol("01:80:c2:00:00:00"), Verdict::exempt},
          {"individual LAN scope group", eapol("01:80:c2:00:00:0e"), Verdict::exempt},
          {"own MAC", to_us, Verdict::exempt},
          {"another reserved group", eapol("01:80:c2:00:00:02"), Verdict::exemption_refused},
          {"another group", eapol("01:80:c2:01:00:03"), Verdict::exemption_refused},
          {"broadcast", eapol("ff:ff:ff:ff:ff:ff"), Verdict::exemption_refused},
          {"another station", eapol("02:00:00:00:77:77"), Verdict::wrong_destination_mac},
      });
  Bytes oversize = eapol("01:80:c2:00:00:03");
  oversize.resize(9100);
  CHECK(gateway.send(port, Origin::wire, oversize) == Verdict::oversize);
}

TEST_CASE("EAPOL behind a VLAN tag or inside MACsec is nobody's") {
  Scenario scenario;
  scenario.vlan = {{0x8100, 100}};
  scenario.macsec = GENERATE(false, true);
  TestGateway gateway(1, scenario);
  const Bytes tagged =
      ethernet(mac("01:80:c2:00:00:03"), gateway.peer_mac(), wire::ethertype_eapol, {3, 5, 0, 0}, scenario.vlan);
  CHECK(gateway.send(black_port, Origin::wire, tagged) ==
        (scenario.macsec ? Verdict::macsec_untagged : Verdict::exemption_refused));
  const Bytes bare = ethernet(mac("01:80:c2:00:00:03"), gateway.peer_mac(), wire::ethertype_eapol, {3, 5, 0, 0});
  CHECK(gateway.send(black_port, Origin::wire, bare) == Verdict::exempt);
  gateway.check_accounts();
}

TEST_CASE("EAPOL from the companion leaves untagged and unprotected, and nothing else does") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.vlan = {{0x8100, 100}};
  scenario.macsec = true;
  TestGateway gateway(1, scenario);
  const auto eapol = [&](const char* to, const MacAddress& from) {
    return ethernet(mac(to), from, wire::ethertype_eapol, {3, 5, 0, 0});
  };
  const MacAddress own = gateway.port_mac(black_port);
  CHECK(gateway.send(black_port, Origin::companion, eapol("01:80:c2:00:00:03", own)) == Verdict::exempt);
  std::vector<Bytes> sent = gateway.take_wire(black_port);
  REQUIRE(sent.size() == 1);
  CHECK(wire::load16(&sent[0][12]) == wire::ethertype_eapol);
  CHECK(sent[0].size() == 60);

  run(gateway, black_port, Origin::companion,
      {
          {"another group", eapol("01:80:c2:00:00:02", own), Verdict::exemption_refused},
          {"a station", eapol("02:00:00:00:02:01", own), Verdict::exemption_refused},
          {"another source", eapol("01:80:c2:00:00:03", gateway.host_mac()), Verdict::foreign_source},
      });

  // ARP, ND and IKE are exempt from the policy, not from MACsec.
  const Bytes others[] = {
      ethernet(everyone, own, wire::ethertype_arp, arp(1, own, gateway.own(black_port), MacAddress{}, gateway.peer())),
      ethernet_ip(all_nodes, own,
                  neighbour_solicitation(gateway.own(black_port, Family::ipv6), address("ff02::1"),
                                         gateway.peer(Family::ipv6))),
      gateway.from_kernel(black_port, udp_packet(gateway.own(black_port), gateway.peer(), 500, 500, ike_body)),
  };
  for (const Bytes& frame : others) {
    CHECK(gateway.send(black_port, Origin::companion, frame) == Verdict::exempt);
    sent = gateway.take_wire(black_port);
    REQUIRE(sent.size() == 1);
    CHECK(wire::load16(&sent[0][12]) == 0x8100);
    CHECK(wire::load16(&sent[0][16]) == wire::ethertype_macsec);
  }
  gateway.check_accounts();
}

TEST_CASE("on a port with MACsec an unprotected ARP, ND or IKE frame is dropped") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = true;
  TestGateway gateway(1, scenario);
  run(gateway, black_port, Origin::wire,
      {
          {"ARP",
           ethernet(everyone, gateway.peer_mac(), wire::ethertype_arp,
                    arp(1, gateway.peer_mac(), gateway.peer(), MacAddress{}, gateway.own(black_port))),
           Verdict::macsec_untagged},
          {"ND",
           ethernet_ip(all_nodes, gateway.peer_mac(),
                       neighbour_solicitation(gateway.peer(Family::ipv6), address("ff02::1"),
                                              gateway.own(black_port, Family::ipv6))),
           Verdict::macsec_untagged},
          {"IKE", gateway.from_peer(udp_packet(gateway.peer(), gateway.own(black_port), 500, 500, ike_body)),
           Verdict::macsec_untagged},
      });
}

TEST_CASE("ARP from the wire is the link's own business") {
  TestGateway gateway(1, {});
  const PortIndex port = GENERATE(clear_port, black_port);
  const MacAddress from = gateway.peer_mac();
  const IpAddress sender = address(port == clear_port ? "10.1.0.77" : "192.0.2.77");
  const auto frame = [&](const Bytes& body, const MacAddress& to = everyone) {
    return ethernet(to, from, wire::ethertype_arp, body);
  };
  const MacAddress own = gateway.port_mac(port);
  const Bytes request = arp(1, from, sender, MacAddress{}, gateway.own(port));
  Bytes truncated = request;
  truncated.pop_back();
  run(gateway, port, Origin::wire,
      {
          {"request for us", frame(request), Verdict::exempt},
          {"request for us, unicast", frame(request, own), Verdict::exempt},
          {"reply to us", frame(arp(2, from, sender, own, gateway.own(port)), own), Verdict::exempt},
          {"announcement", frame(arp(1, from, sender, MacAddress{}, sender)), Verdict::exempt},
          {"request for another", frame(arp(1, from, sender, MacAddress{}, address("192.0.2.99"))),
           Verdict::exemption_refused},
          {"request for our other port's address",
           frame(arp(1, from, sender, MacAddress{}, gateway.own(second_black_port))), Verdict::exemption_refused},
          {"sender is not who sent it", frame(arp(1, gateway.host_mac(), sender, MacAddress{}, gateway.own(port))),
           Verdict::exemption_refused},
          {"neither request nor reply", frame(arp(3, from, sender, MacAddress{}, gateway.own(port))),
           Verdict::exemption_refused},
          {"not of Ethernet", frame(with(request, 1, 6)), Verdict::exemption_refused},
          {"not of IPv4", frame(with(request, 2, 0x86)), Verdict::exemption_refused},
          {"another hardware size", frame(with(request, 4, 8)), Verdict::exemption_refused},
          {"another protocol size", frame(with(request, 5, 16)), Verdict::exemption_refused},
          {"cut off", frame(truncated), Verdict::exemption_refused},
      });
}

TEST_CASE("ARP from the companion names the port as its sender, and nothing rides behind it") {
  TestGateway gateway(1, {});
  const PortIndex port = GENERATE(clear_port, black_port);
  const MacAddress own = gateway.port_mac(port);
  const IpAddress target = address("192.0.2.77");
  const auto frame = [&](const Bytes& body) { return ethernet(everyone, own, wire::ethertype_arp, body); };
  const Bytes request = arp(1, own, gateway.own(port), MacAddress{}, target);
  run(gateway, port, Origin::companion,
      {
          {"request", frame(request), Verdict::exempt},
          {"probe", frame(arp(1, own, address("0.0.0.0"), MacAddress{}, gateway.own(port))), Verdict::exempt},
          {"reply", frame(arp(2, own, gateway.own(port), gateway.peer_mac(), target)), Verdict::exempt},
          {"foreign sender address", frame(arp(1, own, gateway.host(), MacAddress{}, target)),
           Verdict::exemption_refused},
          {"our other port's address", frame(arp(1, own, gateway.own(second_black_port), MacAddress{}, target)),
           Verdict::exemption_refused},
          {"foreign sender MAC", frame(arp(1, gateway.host_mac(), gateway.own(port), MacAddress{}, target)),
           Verdict::exemption_refused},
          {"foreign Ethernet source", ethernet(everyone, gateway.host_mac(), wire::ethertype_arp, request),
           Verdict::foreign_source},
      });
  Bytes rider = frame(request);
  const Bytes secret = payload(40);
  rider.insert(rider.end(), secret.begin(), secret.end());
  CHECK(gateway.send(port, Origin::companion, rider) == Verdict::exempt);
  const std::vector<Bytes> sent = gateway.take_wire(port);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].size() == 60);
  CHECK_FALSE(contains(sent[0], marker));
}

TEST_CASE("neighbour discovery from the wire has hop limit 255 and link scope") {
  TestGateway gateway(1, {});
  const PortIndex port = GENERATE(clear_port, black_port);
  const MacAddress from = gateway.peer_mac();
  const MacAddress own_mac = gateway.port_mac(port);
  const IpAddress own = gateway.own(port, Family::ipv6);
  const IpAddress sender = address("fe80::77");
  const IpAddress group = address("ff02::1:ff00:1");
  const MacAddress group_mac = mac("33:33:ff:00:00:01");
  const auto many = [&](const Bytes& packet) { return ethernet_ip(group_mac, from, packet); };
  const auto one = [&](const Bytes& packet) { return ethernet_ip(own_mac, from, packet); };
  const Bytes good = neighbour_solicitation(sender, group, own);
  std::vector<Case> cases = {
      {"solicitation to the group", many(good), Verdict::exempt},
      {"solicitation to us", one(neighbour_solicitation(sender, own, own)), Verdict::exempt},
      {"hop limit 254", many(neighbour_solicitation(sender, group, own, 254)), Verdict::exemption_refused},
      {"hop limit 254 to us", one(neighbour_solicitation(sender, own, own, 254)), Verdict::exemption_refused},
      {"hop limit 0", many(neighbour_solicitation(sender, group, own, 0)), Verdict::exemption_refused},
      {"wider than the link", many(neighbour_solicitation(sender, address("ff05::1"), own)),
       Verdict::exemption_refused},
      {"to be forwarded", one(neighbour_solicitation(sender, gateway.far_host(Family::ipv6), own)),
       Verdict::exemption_refused},
      {"to our other port", one(neighbour_solicitation(sender, gateway.own(second_black_port, Family::ipv6), own)),
       Verdict::exemption_refused},
      {"wrong checksum", many(with(good, 42, static_cast<std::uint8_t>(good[42] ^ 1U))), Verdict::exemption_refused},
      {"code 1", many(icmp_packet(sender, group, 135, 1, Bytes(20), {.ttl = 255})), Verdict::exemption_refused},
      {"too short", many(icmp_packet(sender, group, 135, 0, Bytes(2), {.ttl = 255})), Verdict::exemption_refused},
      {"a fragment", many(icmp_packet(sender, group, 135, 0, Bytes(20), {.ttl = 255, .more_fragments = true})),
       Verdict::exemption_refused},
  };
  for (std::uint8_t type = 133; type <= 137; ++type)
    cases.push_back({"each type", many(icmp_packet(sender, group, type, 0, Bytes(20), {.ttl = 255})), Verdict::exempt});
  // The types on either side are none: the policy's.
  for (const std::uint8_t type : {std::uint8_t{132}, std::uint8_t{138}})
    cases.push_back({"no such type", many(icmp_packet(sender, group, type, 0, Bytes(20), {.ttl = 255})),
                     port == clear_port ? Verdict::punted : Verdict::policy_default});
  run(gateway, port, Origin::wire, cases);
}

TEST_CASE("neighbour discovery from the companion comes from the port's own address or from none") {
  TestGateway gateway(1, {});
  const PortIndex port = GENERATE(clear_port, black_port);
  const MacAddress own_mac = gateway.port_mac(port);
  const IpAddress own = gateway.own(port, Family::ipv6);
  const IpAddress on_link = address(port == clear_port ? "2001:db8:1::55" : "2001:db8:ff::55");
  const IpAddress group = address("ff02::1:ff00:2");
  const auto frame = [&](const Bytes& packet) { return ethernet_ip(all_nodes, own_mac, packet); };
  run(gateway, port, Origin::companion,
      {
          {"to the group", frame(neighbour_solicitation(own, group, on_link)), Verdict::exempt},
          {"duplicate address detection", frame(neighbour_solicitation(address("::"), group, own)), Verdict::exempt},
          {"to a link-local address", frame(neighbour_solicitation(own, address("fe80::2"), on_link)), Verdict::exempt},
          {"to a neighbour", frame(neighbour_solicitation(own, on_link, on_link)), Verdict::exempt},
          {"foreign source", frame(neighbour_solicitation(gateway.host(Family::ipv6), group, on_link)),
           Verdict::exemption_refused},
          {"our other port's address",
           frame(neighbour_solicitation(gateway.own(second_black_port, Family::ipv6), group, on_link)),
           Verdict::exemption_refused},
          {"hop limit 254", frame(neighbour_solicitation(own, group, on_link, 254)), Verdict::exemption_refused},
          {"beyond the link", frame(neighbour_solicitation(own, address("2001:db8:7777::1"), on_link)),
           Verdict::exemption_refused},
          {"wider than the link", frame(neighbour_solicitation(own, address("ff05::2"), on_link)),
           Verdict::exemption_refused},
      });
}

TEST_CASE("IKE from the wire reaches the companion only at the port's own outer address") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  TestGateway gateway(1, scenario);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const IpAddress peer = gateway.peer(family);
  const IpAddress own = gateway.own(black_port, family);
  const auto frame = [&](std::uint16_t from, std::uint16_t to, const Bytes& body, const IpAddress& destination) {
    return gateway.from_peer(udp_packet(peer, destination, from, to, body));
  };
  Bytes short_udp = frame(500, 500, ike_body, own);
  short_udp[14 + (family == Family::ipv4 ? 20 : 40) + 5] -= 1;  // UDP length no longer the packet's
  run(gateway, black_port, Origin::wire,
      {
          {"port 500", frame(500, 500, ike_body, own), Verdict::exempt},
          {"port 500 from behind a NAT", frame(31234, 500, ike_body, own), Verdict::exempt},
          {"port 4500 with the marker", frame(4500, 4500, ike_with_marker, own), Verdict::exempt},
          {"port 4500, the marker alone", frame(4500, 4500, {0, 0, 0, 0}, own), Verdict::exempt},
          {"keepalive", frame(4500, 4500, {0xff}, own), Verdict::keepalive},
          {"another byte than a keepalive's", frame(4500, 4500, {0xfe}, own), Verdict::esp_bad_udp},
          {"two bytes", frame(4500, 4500, {0xff, 0xff}, own), Verdict::esp_bad_udp},
          {"nothing", frame(4500, 4500, {}, own), Verdict::esp_bad_udp},
          {"port 4500 without the marker", frame(4500, 4500, ike_body, own), Verdict::esp_unknown_spi},
          {"port 501", frame(500, 501, ike_body, own), Verdict::policy_default},
          {"port 4501 with the marker", frame(4500, 4501, ike_with_marker, own), Verdict::policy_default},
          {"to port 500 only as a source", frame(500, 1234, ike_body, own), Verdict::policy_default},
          {"to our other port's address", frame(500, 500, ike_body, gateway.own(second_black_port, family)),
           Verdict::policy_default},
          {"to our clear-side address", frame(500, 500, ike_body, gateway.own(clear_port, family)),
           Verdict::policy_default},
          {"to the site", frame(500, 500, ike_body, gateway.host(family)), Verdict::policy_default},
          {"UDP length is not the packet's", short_udp, Verdict::exemption_refused},
          {"first fragment",
           gateway.from_peer(ip(peer, own, 17, udp(peer, own, 500, 500, Bytes(32)), {.more_fragments = true})),
           Verdict::exemption_refused},
          {"later fragment", gateway.from_peer(ip(peer, own, 17, Bytes(32), {.fragment_offset = 4})),
           Verdict::policy_default},
          {"TCP", gateway.from_peer(ip(peer, own, 6, Bytes{1, 0xf4, 1, 0xf4, 0, 0, 0, 0}, {})),
           Verdict::policy_default},
      });
}

TEST_CASE("IKE from the companion leaves only from the port's own outer address") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  TestGateway gateway(1, scenario);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const IpAddress peer = gateway.peer(family);
  const IpAddress own = gateway.own(black_port, family);
  const auto frame = [&](const IpAddress& from, std::uint16_t from_port, std::uint16_t to_port, const Bytes& body) {
    return gateway.from_kernel(black_port, udp_packet(from, peer, from_port, to_port, body));
  };
  run(gateway, black_port, Origin::companion,
      {
          {"port 500", frame(own, 500, 500, ike_body), Verdict::exempt},
          {"answer to a peer behind a NAT", frame(own, 500, 31234, ike_body), Verdict::exempt},
          {"port 4500 with the marker", frame(own, 4500, 4500, ike_with_marker), Verdict::exempt},
          {"keepalive", frame(own, 4500, 4500, {0xff}), Verdict::exempt},
          {"port 4500 without the marker", frame(own, 4500, 4500, ike_body), Verdict::exemption_refused},
          {"another byte than a keepalive's", frame(own, 4500, 4500, {0xfe}), Verdict::exemption_refused},
          {"port 501", frame(own, 501, 500, ike_body), Verdict::policy_default},
          {"any port to 4500", frame(own, 1234, 4500, ike_with_marker), Verdict::policy_default},
          {"from our other port's address", frame(gateway.own(second_black_port, family), 500, 500, ike_body),
           Verdict::foreign_source},
          {"from our clear-side address", frame(gateway.own(clear_port, family), 500, 500, ike_body),
           Verdict::foreign_source},
          {"from the site", frame(gateway.host(family), 500, 500, ike_body), Verdict::foreign_source},
          {"a fragment",
           gateway.from_kernel(black_port,
                               ip(own, peer, 17, udp(own, peer, 500, 500, Bytes(32)), {.more_fragments = true})),
           Verdict::exemption_refused},
      });
}

TEST_CASE("the IKE exemption itself refuses what ESP input would have taken before it") {
  TestGateway gateway(1, {});
  const auto fib = Fib::build(gateway.fib_input);
  const MacAddress own = gateway.port_mac(black_port);
  const Here here{*fib, black_port, own};
  const auto judge = [&](const Bytes& body) {
    const Bytes packet = udp_packet(gateway.peer(), gateway.own(black_port), 4500, 4500, body);
    return ike_received(here, wire::parse_ip(packet.data(), static_cast<std::uint32_t>(packet.size())));
  };
  CHECK(judge(ike_with_marker) == Exemption::granted);
  CHECK(judge(ike_body) == Exemption::refused);
  CHECK(judge({0xff}) == Exemption::refused);
  CHECK(judge({0, 0, 0}) == Exemption::refused);
}

TEST_CASE("IKE is not exempt on the clear side") {
  TestGateway gateway(1, {});
  // From the site through the gateway: the SPD's business like any other packet.
  const Bytes through = udp_packet(gateway.host(), address("203.0.113.5"), 500, 500, payload());
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(through)) == Verdict::policy_default);
  // To the gateway itself: an ordinary frame of the site's.
  const Bytes to_us = udp_packet(gateway.host(), gateway.own(clear_port), 500, 500, ike_body);
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(to_us)) == Verdict::punted);
  gateway.check_accounts();
}

TEST_CASE("DHCP, BGP and BFD are no exemptions: a rule lets them pass") {
  TestGateway without(1, {});
  Scenario scenario;
  scenario.policies = {policy("dhcp", PolicyAction::bypass, "0.0.0.0/32", "255.255.255.255/32"),
                       policy("bgp", PolicyAction::bypass, "192.0.2.1/32", "192.0.2.2/32")};
  scenario.policies[0].selectors[0].protocol = 17;
  scenario.policies[0].selectors[0].remote_port = {67, 67};
  TestGateway with_rules(1, scenario);
  const auto dhcp = [](TestGateway& gateway) {
    return ethernet_ip(everyone, gateway.port_mac(black_port),
                       udp_packet(address("0.0.0.0"), address("255.255.255.255"), 68, 67, Bytes(240)));
  };
  const auto bgp = [](TestGateway& gateway) {
    Bytes tcp(20);
    wire::store16(tcp.data(), 40000);
    wire::store16(tcp.data() + 2, 179);
    return gateway.from_kernel(black_port, ip(gateway.own(black_port), gateway.peer(), 6, tcp));
  };
  CHECK(without.send(black_port, Origin::companion, dhcp(without)) == Verdict::policy_default);
  CHECK(without.send(black_port, Origin::companion, bgp(without)) == Verdict::policy_default);
  CHECK(with_rules.send(black_port, Origin::companion, dhcp(with_rules)) == Verdict::bypassed);
  CHECK(with_rules.send(black_port, Origin::companion, bgp(with_rules)) == Verdict::bypassed);
  without.check_accounts();
  with_rules.check_accounts();
}
