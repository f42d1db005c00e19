// Two gateways back to back: what goes in at one site comes out at the other, and never in clear in between.
#include <catch2/catch.hpp>

#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

wire::IpPacket ip_of(const Bytes& frame, std::uint32_t l2 = 14) {
  return wire::parse_ip(frame.data() + l2, static_cast<std::uint32_t>(frame.size()) - l2);
}

const std::vector<std::vector<ClearVlanTag>> tag_sets = {{}, {{0x8100, 100}}, {{0x88a8, 7}, {0x8100, 4094}}};

}  // namespace

TEST_CASE("a packet crosses the circuit and comes out as it went in, one hop older") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  scenario.udp = GENERATE(false, true);
  scenario.macsec = GENERATE(false, true);
  scenario.vlan = tag_sets[static_cast<std::size_t>(GENERATE(0, 1, 2))];
  Pair pair(scenario);
  for (const Family inner : {Family::ipv4, Family::ipv6}) {
    for (const std::size_t size : {16U, 17U, 64U, 1300U}) {
      const Bytes packet = pair.a.site_packet(inner, size);
      pair.a.inject(clear_port, Origin::wire, pair.a.from_host(packet));
      pair.exchange();
      const std::vector<Bytes> out = pair.b.take_wire(clear_port);
      REQUIRE(out.size() == 1);
      CHECK(out[0].size() >= wire::ethernet_smallest);
      const wire::IpPacket ip = ip_of(out[0]);
      REQUIRE(ip.valid);
      CHECK(ip.total_length == packet.size());
      CHECK(ip.hop_limit() == 62);  // each gateway took one
      CHECK(std::equal(packet.begin() + (inner == Family::ipv4 ? 12 : 8), packet.end(),
                       ip.data + (inner == Family::ipv4 ? 12 : 8)));
      CHECK(std::equal(out[0].begin(), out[0].begin() + 6, pair.b.host_mac().bytes.begin()));
      CHECK(std::equal(out[0].begin() + 6, out[0].begin() + 12, pair.b.port_mac(clear_port).bytes.begin()));
      // And back.
      const Bytes back = pair.b.site_packet(inner, size);
      pair.b.inject(clear_port, Origin::wire, pair.b.from_host(back));
      pair.exchange();
      REQUIRE(pair.a.take_wire(clear_port).size() == 1);
    }
  }
  // What was on the circuit: its tags in clear, behind them ESP or a SecTAG.
  REQUIRE(pair.circuit.size() == 16);
  for (const Bytes& frame : pair.circuit) {
    std::uint32_t at = 12;
    for (const ClearVlanTag& tag : scenario.vlan) {
      CHECK(wire::load16(&frame[at]) == tag.tpid);
      CHECK(wire::load16(&frame[at + 2]) == tag.vid);
      at += 4;
    }
    const std::uint16_t ethertype = wire::load16(&frame[at]);
    if (scenario.macsec) {
      CHECK(ethertype == wire::ethertype_macsec);
    } else {
      const wire::IpPacket outer = ip_of(frame, at + 2);
      REQUIRE(outer.valid);
      CHECK(outer.family == scenario.outer);
      CHECK(outer.protocol == (scenario.udp ? wire::protocol_udp : wire::protocol_esp));
    }
  }
  CHECK(pair.a.verdicts(Verdict::ok) == 16);
  pair.check_accounts();
}

TEST_CASE("bursts keep their order and lose nothing") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  Pair pair(scenario);
  constexpr std::size_t count = 600;
  for (std::size_t i = 0; i < count; i += 60) {
    std::vector<Frame*> burst;
    for (std::size_t k = i; k < i + 60; ++k)
      burst.push_back(pair.a.io.make(pair.a.from_host(pair.a.site_packet(Family::ipv4, 20 + k % 700))));
    pair.a.pipeline->process(clear_port, Origin::wire, burst);
    pair.a.pipeline->poll();
    pair.a.settle();
  }
  pair.exchange();
  const std::vector<Bytes> out = pair.b.take_wire(clear_port);
  REQUIRE(out.size() == count);
  for (std::size_t i = 0; i < count; ++i) CHECK(ip_of(out[i]).total_length == 28 + 20 + i % 700);
  pair.check_accounts();
}

TEST_CASE("among ESP packets of a burst those of unknown SPIs are dropped and the others keep their order") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  Pair pair(scenario);
  const std::uint32_t spi_at = wire::ethernet_size + (scenario.outer == Family::ipv4 ? 20U : 40U);
  const auto lost = [](std::size_t i) { return i % 3 == 1 || (i >= 20 && i < 25); };
  for (const std::size_t count : {1U, 2U, 63U, 64U}) {
    std::vector<Frame*> burst;
    for (std::size_t i = 0; i < count; ++i)
      pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet(Family::ipv4, 100 + i)));
    pair.a.settle();
    std::vector<Bytes> circuit = pair.a.take_wire(black_port);
    REQUIRE(circuit.size() == count);
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < count; ++i) {
      if (lost(i))
        circuit[i][spi_at] ^= 0x55;
      else
        kept.push_back(i);
      burst.push_back(pair.b.io.make(circuit[i]));
    }
    const std::uint64_t unknown = pair.b.verdicts(Verdict::esp_unknown_spi);
    pair.b.pipeline->process(black_port, Origin::wire, burst);
    pair.b.settle();
    CHECK(pair.b.verdicts(Verdict::esp_unknown_spi) - unknown == count - kept.size());
    const std::vector<Bytes> out = pair.b.take_wire(clear_port);
    REQUIRE(out.size() == kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) CHECK(ip_of(out[i]).total_length == 28 + 100 + kept[i]);
  }
  pair.check_accounts();
}

TEST_CASE("packets of one burst go each its own way, and those of the next by the tables of its time") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.policies = {policy("clear", PolicyAction::bypass, "10.1.0.0/16", "198.51.100.0/24")};
  TestGateway gateway(1, scenario);
  gateway.clear_expected = true;
  const std::vector<IpAddress> hosts = {address("198.51.100.7"), address("198.51.100.8"), address("198.51.100.10")};
  const std::size_t silent = 2;  // has no link address
  const auto learn = [&](std::size_t host, const MacAddress& where) {
    gateway.fib_input.neighbours.push_back({second_black_port, hosts[host], where});
  };
  const std::size_t before = gateway.fib_input.neighbours.size();
  const MacAddress macs[] = {mac("02:00:00:00:00:07"), mac("02:00:00:00:00:08")};

  for (const bool exchanged : {false, true}) {
    gateway.fib_input.neighbours.resize(before);
    for (const std::size_t host : {0U, 1U}) learn(host, macs[exchanged ? 1 - host : host]);
    gateway.rebuild_fib();
    // One behind the other, two of the same, tunnelled packets between them.
    std::vector<std::size_t> to;
    std::vector<Frame*> burst;
    std::size_t tunnelled = 0;
    for (std::size_t i = 0; i < 60; ++i) {
      if (i % 5 == 4) {
        burst.push_back(gateway.io.make(gateway.from_host(gateway.site_packet())));
        ++tunnelled;
        continue;
      }
      to.push_back((i * i / 2) % hosts.size());
      burst.push_back(gateway.io.make(
          gateway.from_host(udp_packet(gateway.host(), hosts[to.back()], 4000, 4001, payload(18 + i)))));
    }
    gateway.pipeline->process(clear_port, Origin::wire, burst);
    gateway.settle();
    const std::vector<Bytes> clear = gateway.take_wire(second_black_port);
    std::size_t at = 0;
    for (const std::size_t host : to) {
      if (host == silent) continue;
      REQUIRE(at < clear.size());
      const Bytes& frame = clear[at++];
      CHECK(std::equal(hosts[host].bytes.begin(), hosts[host].bytes.begin() + 4, ip_of(frame).destination()));
      const MacAddress& expected = macs[exchanged ? 1 - host : host];
      CHECK(std::equal(expected.bytes.begin(), expected.bytes.end(), frame.begin()));
    }
    CHECK(at == clear.size());
    const std::vector<Bytes> sealed = gateway.take_wire(black_port);
    CHECK(sealed.size() == tunnelled);
    for (const Bytes& frame : sealed)
      CHECK(std::equal(frame.begin(), frame.begin() + 6, gateway.peer_mac().bytes.begin()));
    CHECK(gateway.pipeline->take_unresolved().size() == 1);
  }
  gateway.check_accounts();
}

TEST_CASE("transport mode carries the gateways' own traffic and the kernel gets it on the clear side only") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  scenario.udp = GENERATE(false, true);
  scenario.macsec = GENERATE(false, true);
  scenario.mode = EspMode::transport;
  Pair pair(scenario);
  const Bytes packet =
      udp_packet(pair.a.own(black_port, scenario.outer), pair.a.peer(scenario.outer), 7000, 7001, payload(100));
  CHECK(pair.a.send(black_port, Origin::companion, pair.a.from_kernel(black_port, packet)) == Verdict::ok);
  pair.exchange();
  CHECK(pair.b.take_companion(black_port).empty());
  const std::vector<Bytes> got = pair.b.take_companion(clear_port);
  REQUIRE(got.size() == 1);
  CHECK(std::equal(got[0].begin(), got[0].begin() + 6, pair.b.port_mac(clear_port).bytes.begin()));
  CHECK(contains(got[0], marker));
  const wire::IpPacket ip = ip_of(got[0]);
  REQUIRE(ip.valid);
  CHECK(ip.hop_limit() == 64);  // the sender's own traffic, and its end
  CHECK(pair.b.verdicts(Verdict::punted) == 1);

  pair.check_accounts();
}

TEST_CASE("a packet for the far gateway's own clear-side address goes to its clear-side companion") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  const Family inner = GENERATE(Family::ipv4, Family::ipv6);
  Pair pair(scenario);
  const Bytes packet = udp_packet(pair.a.host(inner), pair.b.own(clear_port, inner), 1, 2, payload());
  pair.a.inject(clear_port, Origin::wire, pair.a.from_host(packet));
  pair.exchange();
  CHECK(pair.b.take_companion(black_port).empty());
  REQUIRE(pair.b.take_companion(clear_port).size() == 1);
  pair.check_accounts();
}

TEST_CASE("Ethernet padding does not enter the tunnel and comes back on short frames only") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  Pair pair(scenario);
  Bytes frame = pair.a.from_host(pair.a.site_packet(Family::ipv4, 16));
  const std::size_t length = frame.size();
  frame.resize(300, 0xee);  // padding, and not zero
  pair.a.inject(clear_port, Origin::wire, frame);
  pair.exchange();
  REQUIRE(pair.circuit.size() == 1);
  CHECK(pair.circuit[0].size() == 14 + 20 + 8 + 8 + (length - 14 + 2 + 3) / 4 * 4 + 16);
  const std::vector<Bytes> out = pair.b.take_wire(clear_port);
  REQUIRE(out.size() == 1);
  REQUIRE(out[0].size() == 60);
  for (std::size_t i = length; i < 60; ++i) CHECK(out[0][i] == 0);
  pair.check_accounts();
}

TEST_CASE("every inner size up to the circuit's limit crosses, and the next one does not") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  scenario.udp = GENERATE(false, true);
  scenario.macsec = true;
  Pair pair(scenario);
  // notes of RFC 4303 and 4106: the largest inner packet of a 1500 byte path.
  const std::uint32_t largest =
      scenario.outer == Family::ipv4 ? (scenario.udp ? 1438 : 1446) : (scenario.udp ? 1418 : 1426);
  std::size_t sent = 0;
  for (std::uint32_t size = 44; size <= largest; size += size < 120 || size > largest - 20 ? 1 : 37) {
    pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet(Family::ipv4, size - 28)));
    pair.a.settle();
    ++sent;
  }
  pair.exchange();
  CHECK(pair.b.take_wire(clear_port).size() == sent);
  CHECK(pair.a.send(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet(Family::ipv4, largest + 1 - 28))) ==
        Verdict::too_big);
  for (const Bytes& frame : pair.circuit) CHECK(frame.size() <= 1514 + 32);
  pair.check_accounts();
}
