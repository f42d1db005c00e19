// No clear text leaves, and none comes in, but where a policy says so.
#include <catch2/catch.hpp>

#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

TEST_CASE("nothing leaves when the SA is missing, removed, expired or out of lease") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  scenario.esp = false;
  scenario.requirement = GENERATE(Requirement::require, Requirement::request);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  TestGateway gateway(1, scenario);
  const Bytes frame = gateway.from_host(gateway.site_packet(family));
  const std::uint32_t spi = gateway.esp_sa(Direction::egress).spi;

  SECTION("missing") {
    if (scenario.requirement == Requirement::request) return;  // has a test of its own
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::no_sa);
    CHECK(gateway.entry("site").discarded.get() == 1);
    check_silent(gateway);
  }
  SECTION("out of lease") {
    gateway.tunnels[0]->carry_with(gateway.add(gateway.esp_sa(Direction::egress), {1, 3}), spi);
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::ok);
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::ok);
    CHECK(gateway.take_wire(black_port).size() == 2);
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::lease_exhausted);
    check_silent(gateway);
  }
  SECTION("without any lease") {
    gateway.tunnels[0]->carry_with(gateway.add(gateway.esp_sa(Direction::egress), {1, 1}), spi);
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::lease_exhausted);
    check_silent(gateway);
  }
  SECTION("expired") {
    const SaId sa = gateway.add(gateway.esp_sa(Direction::egress));
    gateway.tunnels[0]->carry_with(sa, spi);
    REQUIRE(gateway.engine->update(sa, Expire{}));
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::hard_expired);
    check_silent(gateway);
  }
  SECTION("removed from the engine while the tunnel still names it") {
    const SaId sa = gateway.add(gateway.esp_sa(Direction::egress));
    gateway.tunnels[0]->carry_with(sa, spi);
    REQUIRE(gateway.engine->remove(sa));
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::stale_sa);
    check_silent(gateway);
  }
  SECTION("its slot belongs to another SA by now") {
    const SaId sa = gateway.add(gateway.esp_sa(Direction::egress));
    gateway.tunnels[0]->carry_with(sa, spi);
    REQUIRE(gateway.engine->remove(sa));
    gateway.slots.release(sa);
    // The table hands out every other slot first.
    while (gateway.slots.used() + 1 < gateway.slots.capacity()) REQUIRE(gateway.slots.allocate());
    const SaId next = gateway.add(gateway.esp_sa(Direction::ingress));
    CHECK(next.index == sa.index);
    CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::stale_sa);
    check_silent(gateway);
  }
  gateway.check_accounts();
}

TEST_CASE("a port with MACsec sends nothing when its transmit SA is missing") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = true;
  TestGateway gateway(1, scenario);
  REQUIRE(gateway.secy->set_transmit_sa(0, SaId{}));
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(gateway.site_packet())) == Verdict::no_sa);
  CHECK(gateway.send(black_port, Origin::companion,
                     gateway.from_kernel(black_port, udp_packet(gateway.own(black_port), gateway.peer(), 500, 500,
                                                                Bytes(40)))) == Verdict::no_sa);
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("policies decide in their order: discard, bypass, and nothing means discard") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  scenario.policies = {policy("never", PolicyAction::discard, "10.1.0.0/16", "10.2.66.0/24", 10),
                       policy("open", PolicyAction::bypass, "10.1.0.0/16", "203.0.113.0/24", 20)};
  TestGateway gateway(1, scenario);
  const auto to = [&](const char* destination, std::uint8_t ttl = 64) {
    return gateway.from_host(udp_packet(gateway.host(), address(destination), 1, 2, payload(), {.ttl = ttl}));
  };
  CHECK(gateway.send(clear_port, Origin::wire, to("10.2.66.1")) == Verdict::policy_discard);
  CHECK(gateway.send(clear_port, Origin::wire, to("172.16.0.1")) == Verdict::policy_default);
  CHECK(gateway.entry("never").discarded.get() == 1);
  check_silent(gateway);

  CHECK(gateway.send(clear_port, Origin::wire, to("203.0.113.5")) == Verdict::bypassed);
  gateway.clear_expected = !scenario.macsec;
  const std::vector<Bytes> sent = gateway.take_wire(black_port);
  REQUIRE(sent.size() == 1);
  if (!scenario.macsec) {
    const wire::IpPacket ip = wire::parse_ip(sent[0].data() + 14, static_cast<std::uint32_t>(sent[0].size()) - 14);
    REQUIRE(ip.valid);
    CHECK(ip.hop_limit() == 63);
    CHECK(contains(sent[0], marker));
  } else {
    CHECK(wire::load16(&sent[0][12]) == wire::ethertype_macsec);
  }
  CHECK(gateway.entry("open").outbound_packets.get() == 1);
  gateway.check_accounts();
}

TEST_CASE("clear traffic from the black side that a policy protects is dropped") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.esp = GENERATE(false, true);
  scenario.vlan = {{0x8100, 5}};
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  TestGateway gateway(1, scenario);
  const Bytes packet = udp_packet(gateway.far_host(family), gateway.host(family), 5000, 4000, payload());
  CHECK(gateway.send(black_port, Origin::wire, gateway.from_peer(packet)) == Verdict::policy_clear_inbound);
  const Bytes stranger = udp_packet(address(family == Family::ipv4 ? "203.0.113.9" : "2001:db8:7::9"),
                                    gateway.host(family), 5000, 4000, payload());
  CHECK(gateway.send(black_port, Origin::wire, gateway.from_peer(stranger)) == Verdict::policy_default);
  // Inside another tunnel's range, without any tunnel at all.
  if (family == Family::ipv4) {
    const Bytes other = udp_packet(address("10.9.0.5"), gateway.host(), 5000, 4000, payload());
    CHECK(gateway.send(black_port, Origin::wire, gateway.from_peer(other)) == Verdict::policy_clear_inbound);
  }
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("a peer's packet from another tunnel's range is dropped after decapsulation") {
  Scenario theirs;
  theirs.engine = GENERATE(from_range(engine_kinds()));
  // The peer sends what it should not: its policy names a foreign network.
  theirs.policies = {policy("lie", PolicyAction::protect, "10.9.0.0/16", "10.1.0.0/16", 10)};
  theirs.policies[0].tunnel = "site";
  Scenario ours = theirs;
  ours.policies.clear();
  Pair pair(ours, theirs);
  const Bytes lie = udp_packet(address("10.9.0.5"), pair.a.host(), 1, 2, payload());
  pair.b.inject(clear_port, Origin::wire, pair.b.from_host(lie));
  pair.exchange();
  CHECK(pair.circuit.size() == 1);
  CHECK(pair.a.verdicts(Verdict::selector_mismatch) == 1);
  CHECK(pair.a.take_wire(clear_port).empty());
  CHECK_FALSE(pair.a.entry("site").sealed.load());
  pair.check_accounts();
}

TEST_CASE("a discard policy before the tunnel's holds on the way in too, and so does default discard") {
  Scenario theirs;
  theirs.engine = GENERATE(from_range(engine_kinds()));
  theirs.policies = {policy("wide", PolicyAction::protect, "10.2.0.0/16", "0.0.0.0/0", 10)};
  theirs.policies[0].tunnel = "site";
  Scenario ours = theirs;
  ours.any_inner = true;  // so that only the policy is between
  ours.policies = {policy("no telnet", PolicyAction::discard, "10.1.0.0/16", "10.2.0.0/16", 10)};
  ours.policies[0].selectors[0].protocol = 17;
  ours.policies[0].selectors[0].local_port = {23, 23};
  Pair pair(ours, theirs);
  const auto send = [&](const IpAddress& to, std::uint16_t port) {
    pair.b.inject(clear_port, Origin::wire, pair.b.from_host(udp_packet(pair.b.host(), to, 1, port, payload())));
    pair.exchange();
  };
  send(pair.a.host(), 23);
  CHECK(pair.a.verdicts(Verdict::policy_discard) == 1);
  send(address("10.77.0.1"), 24);
  CHECK(pair.a.verdicts(Verdict::policy_default) == 1);
  check_silent(pair.a);
  send(pair.a.host(), 24);
  CHECK(pair.a.take_wire(clear_port).size() == 1);
  pair.check_accounts();
}

TEST_CASE("a non-initial fragment never matches a policy with ports") {
  Scenario scenario;
  scenario.policies = {policy("dns", PolicyAction::bypass, "10.1.0.0/16", "203.0.113.0/24", 10)};
  scenario.policies[0].selectors[0].protocol = 17;
  scenario.policies[0].selectors[0].remote_port = {53, 53};
  TestGateway gateway(1, scenario);
  const IpAddress to = address("203.0.113.5");
  const Bytes datagram = udp(gateway.host(), to, 1234, 53, Bytes(24));
  CHECK(gateway.send(clear_port, Origin::wire,
                     gateway.from_host(ip(gateway.host(), to, 17, datagram, {.more_fragments = true}))) ==
        Verdict::bypassed);
  // The same bytes where ports would be, but it is the middle of a datagram.
  CHECK(gateway.send(clear_port, Origin::wire,
                     gateway.from_host(ip(gateway.host(), to, 17, datagram, {.fragment_offset = 4}))) ==
        Verdict::policy_default);
  gateway.check_accounts();
}

TEST_CASE("a policy of request lets clear traffic pass until its SA has carried a packet, then never again") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.esp = false;
  scenario.requirement = Requirement::request;
  Pair pair(scenario);
  TestGateway& gateway = pair.a;
  gateway.clear_expected = true;
  const Bytes out = gateway.from_host(gateway.site_packet());
  const Bytes in = gateway.from_peer(udp_packet(gateway.far_host(), gateway.host(), 5000, 4000, payload()));

  CHECK(gateway.send(clear_port, Origin::wire, out) == Verdict::request_clear);
  CHECK(gateway.take_wire(black_port).size() == 1);
  CHECK(gateway.send(black_port, Origin::wire, in) == Verdict::request_clear);
  CHECK(gateway.take_wire(clear_port).size() == 1);
  CHECK(gateway.entry("site").request_clear.get() == 2);

  pair.a.carry_tunnel();
  pair.b.carry_tunnel();
  CHECK_FALSE(gateway.entry("site").sealed.load());
  SECTION("a packet that went out") {
    CHECK(gateway.send(clear_port, Origin::wire, out) == Verdict::ok);
    CHECK(gateway.take_wire(black_port).size() == 1);
  }
  SECTION("a packet that came in") {
    pair.b.clear_expected = true;
    pair.b.inject(clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet()));
    pair.exchange();
    CHECK(gateway.take_wire(clear_port).size() == 1);
  }
  CHECK(gateway.entry("site").sealed.load());
  gateway.clear_expected = false;
  gateway.tunnels[0]->carry_with({}, 0);
  CHECK(gateway.send(clear_port, Origin::wire, out) == Verdict::no_sa);
  CHECK(gateway.send(black_port, Origin::wire, in) == Verdict::policy_clear_inbound);
  check_silent(gateway);
  CHECK(gateway.entry("site").request_clear.get() == 2);
  gateway.check_accounts();
}

TEST_CASE("from the black side nothing goes on to a black port") {
  Scenario theirs;
  theirs.engine = GENERATE(from_range(engine_kinds()));
  theirs.policies = {policy("there", PolicyAction::protect, "10.2.0.0/16", "198.51.100.0/24", 10)};
  theirs.policies[0].tunnel = "site";
  Scenario ours = theirs;
  ours.any_inner = true;
  ours.policies = {policy("everything", PolicyAction::bypass, "0.0.0.0/0", "0.0.0.0/0", 10)};
  Pair pair(ours, theirs);
  const IpAddress there = address("198.51.100.9");
  // In clear, and out of a tunnel.
  CHECK(pair.a.send(black_port, Origin::wire, pair.a.from_peer(udp_packet(pair.a.peer(), there, 1, 2, payload()))) ==
        Verdict::policy_default);
  pair.b.inject(clear_port, Origin::wire, pair.b.from_host(udp_packet(pair.b.host(), there, 1, 2, payload())));
  pair.exchange();
  CHECK(pair.a.verdicts(Verdict::policy_default) == 2);
  // Not back to where it came from either.
  CHECK(pair.a.send(black_port, Origin::wire,
                    pair.a.from_peer(udp_packet(pair.a.peer(), address("203.0.113.1"), 1, 2, payload()))) ==
        Verdict::policy_default);
  check_silent(pair.a);
  pair.check_accounts();
}

TEST_CASE("what may not leave its link is not forwarded") {
  Scenario scenario;
  scenario.policies = {policy("all", PolicyAction::bypass, "0.0.0.0/0", "0.0.0.0/0", 10),
                       policy("all6", PolicyAction::bypass, "::/0", "::/0", 10)};
  TestGateway gateway(1, scenario);
  const auto send = [&](const char* from, const char* to) {
    return gateway.send(clear_port, Origin::wire,
                        gateway.from_host(udp_packet(address(from), address(to), 1, 2, payload())));
  };
  CHECK(send("fe80::5", "2001:db8:2::1") == Verdict::no_route);
  CHECK(send("2001:db8:1::5", "fe80::5") == Verdict::no_route);
  CHECK(send("::", "2001:db8:2::1") == Verdict::no_route);
  CHECK(send("::1", "2001:db8:2::1") == Verdict::no_route);
  CHECK(send("127.0.0.1", "10.2.0.1") == Verdict::no_route);
  CHECK(send("10.1.0.5", "127.0.0.1") == Verdict::no_route);
  CHECK(send("0.0.0.0", "10.2.0.1") == Verdict::no_route);
  CHECK(send("224.0.0.1", "10.2.0.1") == Verdict::no_route);
  CHECK(send("255.255.255.255", "10.2.0.1") == Verdict::no_route);
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("without a route or a neighbour the frame is dropped and the next hop is asked for once") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  Pair pair(scenario);
  TestGateway& gateway = pair.a;
  gateway.fib_input.neighbours.clear();
  gateway.rebuild_fib();
  const Bytes frame = gateway.from_host(gateway.site_packet());
  for (int i = 0; i < 3; ++i) CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::no_neighbour);
  pair.b.inject(clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet()));
  pair.exchange();
  CHECK(gateway.verdicts(Verdict::no_neighbour) == 4);
  const auto asked = gateway.pipeline->take_unresolved();
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].port == black_port);
  CHECK(asked[0].address == gateway.peer(scenario.outer));
  CHECK(asked[1].port == clear_port);
  CHECK(asked[1].address == gateway.host());
  CHECK(gateway.pipeline->take_unresolved().empty());

  gateway.fib_input.routes.clear();
  gateway.fib_input.addresses.clear();
  gateway.rebuild_fib();
  CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::no_route);
  check_silent(gateway);
  pair.check_accounts();
}

TEST_CASE("no policy is wide enough for our own addresses to be spoofed or reached through the wrong port") {
  Scenario scenario;
  scenario.policies = {policy("all", PolicyAction::bypass, "0.0.0.0/0", "0.0.0.0/0", 10),
                       policy("all6", PolicyAction::bypass, "::/0", "::/0", 10)};
  TestGateway gateway(1, scenario);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const auto send = [&](PortIndex port, const IpAddress& from, const IpAddress& to) {
    const Bytes packet = udp_packet(from, to, 1, 2, payload());
    return gateway.send(port, Origin::wire, port == clear_port ? gateway.from_host(packet) : gateway.from_peer(packet));
  };
  for (const PortIndex owner : {clear_port, black_port, second_black_port}) {
    const IpAddress ours = gateway.own(owner, family);
    CHECK(send(clear_port, ours, gateway.far_host(family)) == Verdict::policy_default);
    CHECK(send(black_port, ours, gateway.host(family)) == Verdict::policy_default);
    if (owner != clear_port) CHECK(send(clear_port, gateway.host(family), ours) == Verdict::policy_default);
    if (owner != black_port) CHECK(send(black_port, gateway.peer(family), ours) == Verdict::policy_default);
  }
  check_silent(gateway);
  gateway.check_accounts();
}

TEST_CASE("ESP that is not for us is not decapsulated") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.udp = GENERATE(false, true);
  Pair pair(scenario);
  pair.a.inject(clear_port, Origin::wire, pair.a.from_host(pair.a.site_packet()));
  pair.a.settle();
  const Bytes esp = pair.a.take_wire(black_port).at(0);
  for (const char* to : {"203.0.113.1", "198.51.100.9"}) {
    Bytes frame = esp;
    std::copy_n(address(to).bytes.begin(), 4, frame.begin() + 14 + 16);
    wire::ipv4_set_checksum(&frame[14], 20);
    CHECK(pair.b.send(black_port, Origin::wire, frame) == Verdict::policy_default);
  }
  // Nor on the clear side.
  Bytes inside = esp;
  std::copy_n(pair.b.port_mac(clear_port).bytes.begin(), 6, inside.begin());
  std::copy_n(pair.b.own(clear_port).bytes.begin(), 4, inside.begin() + 14 + 16);
  wire::ipv4_set_checksum(&inside[14], 20);
  CHECK(pair.b.send(clear_port, Origin::wire, inside) == Verdict::punted);
  // The one it was meant for takes it.
  CHECK(pair.b.send(black_port, Origin::wire, esp) == Verdict::ok);
  CHECK(pair.b.take_wire(clear_port).size() == 1);
  pair.check_accounts();
}

TEST_CASE("transport mode carries nothing but packets between its own two ends") {
  Scenario scenario;
  scenario.mode = EspMode::transport;
  scenario.policies = {policy("too wide", PolicyAction::protect, "0.0.0.0/0", "0.0.0.0/0", 10)};
  scenario.policies[0].tunnel = "site";
  TestGateway gateway(1, scenario);
  const auto send = [&](const IpAddress& to) {
    return gateway.send(black_port, Origin::companion,
                        gateway.from_kernel(black_port, udp_packet(gateway.own(black_port), to, 1, 2, payload())));
  };
  CHECK(send(address("192.0.2.77")) == Verdict::selector_mismatch);
  CHECK(send(gateway.far_host()) == Verdict::selector_mismatch);
  CHECK(gateway.send(clear_port, Origin::wire,
                     gateway.from_host(udp_packet(gateway.host(), gateway.peer(), 1, 2, payload()))) ==
        Verdict::selector_mismatch);
  check_silent(gateway);
  CHECK(send(gateway.peer()) == Verdict::ok);
  gateway.check_accounts();
}
