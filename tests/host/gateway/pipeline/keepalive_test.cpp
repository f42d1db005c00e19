// NAT keepalives (RFC 3948 4).
#include <catch2/catch.hpp>

#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {
constexpr std::uint64_t second = 1'000'000'000;
}

TEST_CASE("a silent tunnel behind a NAT sends a keepalive, a busy one does not") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  scenario.macsec = GENERATE(false, true);
  scenario.vlan = {{0x8100, 9}};
  scenario.udp = true;
  Pair pair(scenario);
  pair.a.tunnels[0]->keepalive_seconds = 20;
  const auto seconds = [&](int count) {
    std::size_t sent = 0;
    for (int i = 0; i < count; ++i) {
      pair.a.advance(second);
      pair.exchange();
      sent += pair.circuit.size();
      pair.circuit.clear();
    }
    return sent;
  };
  CHECK(seconds(1) == 1);  // never sent anything
  CHECK(seconds(19) == 0);
  CHECK(seconds(1) == 1);
  CHECK(seconds(60) == 3);
  // Traffic keeps the mapping alive.
  seconds(10);
  pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet()));
  pair.exchange();
  pair.circuit.clear();
  CHECK(seconds(19) == 0);
  CHECK(seconds(1) == 1);

  CHECK(pair.b.verdicts(Verdict::keepalive) == 6);
  CHECK(pair.a.pipeline->counters(black_port).made_frames.get() == 6);
  CHECK(pair.a.pipeline->counters(black_port).verdicts.get(Verdict::answered) == 6);
  CHECK(pair.b.take_companion(black_port).empty());
  // No SA, nothing to keep alive.
  pair.a.tunnels[0]->carry_with({}, 0);
  CHECK(seconds(60) == 0);
  pair.check_accounts();
}

TEST_CASE("a keepalive is one byte 0xff between the tunnel's ends, with a right header") {
  Scenario scenario;
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  scenario.udp = true;
  TestGateway gateway(1, scenario);
  gateway.tunnels[0]->keepalive_seconds = 20;
  gateway.advance(second);
  const std::vector<Bytes> sent = gateway.take_wire(black_port);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].size() == (scenario.outer == Family::ipv4 ? 60 : 14 + 40 + 9));
  const wire::IpPacket ip = wire::parse_ip(sent[0].data() + 14, static_cast<std::uint32_t>(sent[0].size()) - 14);
  REQUIRE(ip.valid);
  CHECK(ip.protocol == wire::protocol_udp);
  CHECK(ip.l4_length() == 9);
  const std::uint8_t* udp = ip.data + ip.l4_offset;
  CHECK(wire::load16(udp) == 4500);
  CHECK(wire::load16(udp + 2) == 4500);
  CHECK(wire::load16(udp + 4) == 9);
  CHECK(udp[8] == 0xff);
  if (scenario.outer == Family::ipv4)
    CHECK(wire::load16(udp + 6) == 0);
  else
    CHECK(wire::checksum_with_pseudo_header(ip.source(), ip.destination(), 16, 17, udp, 9) == 0);
  gateway.check_accounts();
}

TEST_CASE("without a buffer, a route or a neighbour no keepalive is made") {
  Scenario scenario;
  scenario.udp = true;
  TestGateway gateway(1, scenario);
  gateway.tunnels[0]->keepalive_seconds = 20;
  gateway.io.may_allocate = false;
  gateway.advance(second);
  gateway.io.may_allocate = true;
  gateway.fib_input.neighbours.clear();
  gateway.rebuild_fib();
  gateway.advance(21 * second);
  CHECK(gateway.pipeline->take_unresolved().size() == 1);
  gateway.fib_input.routes.clear();
  gateway.fib_input.addresses.clear();
  gateway.rebuild_fib();
  gateway.advance(21 * second);
  CHECK(gateway.take_wire(black_port).empty());
  CHECK(gateway.pipeline->counters(black_port).made_frames.get() == 0);
  gateway.check_accounts();
}
