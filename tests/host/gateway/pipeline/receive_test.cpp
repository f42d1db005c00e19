// What a port takes at all: Ethernet, VLAN tags, IP headers, sizes.
#include <catch2/catch.hpp>

#include "host/gateway/pipeline/l2_header.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

TEST_CASE("frames that are no frames are dropped by name") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  TestGateway gateway(1, scenario);
  const PortIndex port = GENERATE(clear_port, black_port);
  const Bytes good = ethernet_ip(gateway.port_mac(port), gateway.host_mac(), gateway.site_packet());
  for (std::size_t length = 0; length < 14; ++length)
    CHECK(gateway.send(port, Origin::wire, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length))) ==
          Verdict::malformed_ethernet);
  Bytes frame = good;
  frame[5] ^= 0x40;
  CHECK(gateway.send(port, Origin::wire, frame) == Verdict::wrong_destination_mac);
  frame = good;
  frame[6] |= 1;
  CHECK(gateway.send(port, Origin::wire, frame) == Verdict::malformed_ethernet);
  gateway.check_accounts();
}

TEST_CASE("on a port without MACsec what follows the MACs must be known") {
  TestGateway gateway(1, {});
  const PortIndex port = GENERATE(clear_port, black_port);
  const Bytes good = ethernet_ip(gateway.port_mac(port), gateway.host_mac(), gateway.site_packet());
  for (const std::uint16_t ethertype :
       std::vector<std::uint16_t>{0x0000, 0x0600, 0x0805, 0x8100, 0x88a8, 0x88cc, 0x88e5, 0x8847, 0xffff}) {
    Bytes frame = good;
    wire::store16(&frame[12], ethertype);
    CHECK(gateway.send(port, Origin::wire, frame) == Verdict::unknown_ethertype);
  }
  gateway.check_accounts();
}

TEST_CASE("VLAN tags must be the configured ones in number, TPID and VID; PCP is not looked at") {
  Scenario scenario;
  const std::vector<ClearVlanTag> one = {{0x8100, 100}};
  const std::vector<ClearVlanTag> two = {{0x88a8, 100}, {0x8100, 200}};
  scenario.vlan = GENERATE_REF(values({one, two}));
  TestGateway gateway(1, scenario);
  const Bytes packet = udp_packet(gateway.peer(), gateway.own(black_port), 500, 500, Bytes(40));
  const auto send = [&](const std::vector<ClearVlanTag>& tags) {
    return gateway.send(black_port, Origin::wire,
                        ethernet_ip(gateway.port_mac(black_port), gateway.peer_mac(), packet, tags));
  };
  CHECK(send(scenario.vlan) == Verdict::exempt);
  const std::vector<Bytes> punted = gateway.take_companion(black_port);
  REQUIRE(punted.size() == 1);
  CHECK(punted[0] == ethernet_ip(gateway.port_mac(black_port), gateway.peer_mac(), packet));  // the tags are off

  std::vector<ClearVlanTag> tags = scenario.vlan;
  tags.back().vid |= 0xe000;  // PCP 7
  CHECK(send(tags) == Verdict::exempt);
  CHECK(send({}) == Verdict::macsec_vlan_missing);
  for (std::size_t i = 0; i < scenario.vlan.size(); ++i) {
    tags = scenario.vlan;
    tags[i].vid ^= 1;
    CHECK(send(tags) == Verdict::macsec_vlan_mismatch);
    tags = scenario.vlan;
    tags[i].tpid = tags[i].tpid == 0x8100 ? 0x88a8 : 0x8100;
    CHECK(send(tags) == Verdict::macsec_vlan_mismatch);
    tags = scenario.vlan;
    tags[i].vid = 0;  // priority-tagged
    CHECK(send(tags) == Verdict::macsec_vlan_mismatch);
  }
  tags = scenario.vlan;
  tags.pop_back();
  CHECK(send(tags) == Verdict::macsec_vlan_missing);
  tags = scenario.vlan;
  tags.push_back({0x8100, 5});
  CHECK(send(tags) == Verdict::unknown_ethertype);
  gateway.check_accounts();
}

TEST_CASE("a frame cut off inside its tags is malformed") {
  const std::vector<ClearVlanTag> tags = {{0x88a8, 100}, {0x8100, 200}};
  const Bytes frame = ethernet(mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"), 0x0800, Bytes(30), tags);
  for (std::uint32_t length = 0; length < 22; ++length)
    CHECK(parse_l2(frame.data(), length, tags).verdict == Verdict::malformed_ethernet);
  const L2Header l2 = parse_l2(frame.data(), 22, tags);
  CHECK(l2.verdict == Verdict::pending);
  CHECK(l2.length == 22);
  CHECK(l2.ethertype == 0x0800);
}

TEST_CASE("IP headers that lie are dropped on every port") {
  Scenario scenario;
  TestGateway gateway(1, scenario);
  const PortIndex port = GENERATE(clear_port, black_port);
  const Origin origin = GENERATE(Origin::wire, Origin::companion);
  const auto send = [&](std::uint16_t ethertype, const Bytes& packet) {
    const Bytes frame = origin == Origin::wire
                            ? ethernet(gateway.port_mac(port), gateway.host_mac(), ethertype, packet)
                            : ethernet(gateway.host_mac(), gateway.port_mac(port), ethertype, packet);
    return gateway.send(port, origin, frame);
  };
  const Bytes v4 = gateway.site_packet(Family::ipv4);
  const Bytes v6 = gateway.site_packet(Family::ipv6);
  CHECK(send(0x86dd, v4) == Verdict::malformed_ip);
  CHECK(send(0x0800, v6) == Verdict::malformed_ip);
  for (const auto& [at, value] : {std::pair{0, 0x44}, {0, 0x55}, {0, 0x4f}, {3, 0xff}, {2, 0x01}, {10, 0x77}}) {
    Bytes packet = v4;
    packet[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(value);
    CHECK(send(0x0800, packet) == Verdict::malformed_ip);
  }
  Bytes packet = v6;
  packet[4] = 1;  // longer than the frame
  CHECK(send(0x86dd, packet) == Verdict::malformed_ip);
  for (std::size_t length = 0; length < 20; ++length)
    CHECK(send(0x0800, Bytes(v4.begin(), v4.begin() + static_cast<std::ptrdiff_t>(length))) == Verdict::malformed_ip);
  for (std::size_t length = 0; length < 40; ++length)
    CHECK(send(0x86dd, Bytes(v6.begin(), v6.begin() + static_cast<std::ptrdiff_t>(length))) == Verdict::malformed_ip);
  gateway.check_accounts();
}

TEST_CASE("packets longer than the port's MTU are dropped") {
  Scenario scenario;
  TestGateway gateway(1, scenario);
  CHECK(gateway.send(black_port, Origin::wire,
                     gateway.from_peer(udp_packet(gateway.peer(), gateway.own(black_port), 500, 500,
                                                  Bytes(1500 - 28)))) == Verdict::exempt);
  CHECK(gateway.send(black_port, Origin::wire,
                     gateway.from_peer(udp_packet(gateway.peer(), gateway.own(black_port), 500, 500,
                                                  Bytes(1501 - 28)))) == Verdict::oversize);
  CHECK(gateway.send(black_port, Origin::companion,
                     gateway.from_kernel(black_port, udp_packet(gateway.own(black_port), gateway.peer(), 500, 500,
                                                                Bytes(1501 - 28)))) == Verdict::oversize);
  gateway.check_accounts();
}

TEST_CASE("a packet with hops to go through us is not for us") {
  TestGateway gateway(1, {});
  // IPv6 routing header, one segment left, to our own address (RFC 5095).
  Bytes packet = ip(gateway.host(Family::ipv6), gateway.own(clear_port, Family::ipv6), 43, Bytes(24));
  packet[40] = 59;  // next header: none
  packet[41] = 2;   // 24 bytes
  packet[43] = 1;   // segments left
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(packet)) == Verdict::unsupported);
  packet[43] = 0;
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(packet)) == Verdict::punted);
  gateway.check_accounts();
}

TEST_CASE("what stands behind a packet in its frame goes nowhere") {
  Scenario scenario;
  scenario.policies = {policy("open", PolicyAction::bypass, "0.0.0.0/0", "0.0.0.0/0", 10)};
  TestGateway gateway(1, scenario);
  const auto with_rider = [](Bytes frame) {
    const Bytes rider = payload(100);
    frame.insert(frame.end(), rider.begin(), rider.end());
    return frame;
  };
  const Bytes ike = udp_packet(gateway.own(black_port), gateway.peer(), 500, 500, Bytes(40));
  const Bytes small = udp_packet(gateway.host(), gateway.far_host(), 1, 2, Bytes(40));
  CHECK(gateway.send(black_port, Origin::companion, with_rider(gateway.from_kernel(black_port, ike))) ==
        Verdict::exempt);
  CHECK(gateway.send(clear_port, Origin::wire, with_rider(gateway.from_host(small))) == Verdict::bypassed);
  for (const Bytes& frame : gateway.take_wire(black_port)) CHECK(frame.size() == 14 + 68);
  const Bytes for_us = udp_packet(gateway.host(), gateway.own(clear_port), 1, 2, Bytes(40));
  CHECK(gateway.send(clear_port, Origin::wire, with_rider(gateway.from_host(for_us))) == Verdict::punted);
  CHECK(gateway.take_companion(clear_port).at(0).size() == 14 + 68);
  const Bytes request = ethernet(gateway.port_mac(black_port), gateway.peer_mac(), 0x0806,
                                 arp(1, gateway.peer_mac(), gateway.peer(), MacAddress{}, gateway.own(black_port)));
  CHECK(gateway.send(black_port, Origin::wire, with_rider(request)) == Verdict::exempt);
  CHECK(gateway.take_companion(black_port).at(0) == request);
  gateway.check_accounts();
}

TEST_CASE("what TFC padding makes longer than the circuit takes is not sent") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  scenario.esp = false;
  TestGateway gateway(1, scenario);
  EspSa sa = gateway.esp_sa(Direction::egress);
  sa.tfc_pad_to = 2000;
  const std::uint32_t spi = sa.spi;
  gateway.tunnels[0]->carry_with(gateway.add(std::move(sa)), spi);
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(gateway.site_packet())) == Verdict::oversize);
  CHECK(gateway.take_wire(black_port).empty());
  gateway.check_accounts();
}

TEST_CASE("ESP in fragments or too short for an SPI is dropped by name") {
  TestGateway gateway(1, {});
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const IpAddress peer = gateway.peer(family);
  const IpAddress own = gateway.own(black_port, family);
  const auto send = [&](std::uint8_t protocol, const Bytes& body, const IpOptions& options = {}) {
    return gateway.send(black_port, Origin::wire, gateway.from_peer(ip(peer, own, protocol, body, options)));
  };
  const Bytes esp(64, 0x11);
  CHECK(send(50, esp) == Verdict::esp_unknown_spi);
  CHECK(send(50, esp, {.more_fragments = true}) == Verdict::esp_fragment);
  CHECK(send(50, esp, {.fragment_offset = 8}) == Verdict::esp_fragment);
  for (std::size_t length = 0; length < 8; ++length) CHECK(send(50, Bytes(length)) == Verdict::esp_short);
  CHECK(send(17, udp(peer, own, 4500, 4500, esp)) == Verdict::esp_unknown_spi);
  CHECK(send(17, udp(peer, own, 4500, 4500, esp), {.more_fragments = true}) == Verdict::esp_fragment);
  for (std::size_t length = 4; length < 8; ++length)
    CHECK(send(17, udp(peer, own, 4500, 4500, Bytes(length, 0x11))) == Verdict::esp_short);
  gateway.check_accounts();
}
