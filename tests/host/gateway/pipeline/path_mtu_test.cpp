// ICMP: what the clear side is told, and what the black side may teach.
#include <catch2/catch.hpp>

#include "linecrypt/wire/ip_packet.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

struct IcmpSeen {
  wire::IpPacket ip;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t word = 0;
  Bytes quote;
};

// Takes an error frame apart; every header and checksum must be right.
IcmpSeen read_error(const Bytes& frame) {
  IcmpSeen seen;
  seen.ip = wire::parse_ip(frame.data() + 14, static_cast<std::uint32_t>(frame.size()) - 14);
  REQUIRE(seen.ip.valid);
  const std::uint8_t* icmp = seen.ip.data + seen.ip.l4_offset;
  if (seen.ip.family == Family::ipv4) {
    REQUIRE(seen.ip.protocol == 1);
    CHECK(wire::checksum(icmp, seen.ip.l4_length()) == 0);
    CHECK(seen.ip.total_length <= 576);
  } else {
    REQUIRE(seen.ip.protocol == 58);
    CHECK(wire::checksum_with_pseudo_header(seen.ip.source(), seen.ip.destination(), 16, 58, icmp,
                                            seen.ip.l4_length()) == 0);
    CHECK(seen.ip.total_length <= 1280);
  }
  seen.type = icmp[0];
  seen.code = icmp[1];
  seen.word = wire::load32(icmp + 4);
  seen.quote.assign(icmp + 8, icmp + seen.ip.l4_length());
  return seen;
}

bool starts_with(const Bytes& whole, const Bytes& part) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace

TEST_CASE("too big is told to the clear side, from its own address, about what it sent") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.udp = GENERATE(false, true);
  scenario.path_mtu = GENERATE(0U, 1400U);
  TestGateway gateway(1, scenario);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const bool dont_fragment = GENERATE(true, false);  // nothing is cut here either way
  const std::uint32_t path = scenario.path_mtu == 0 ? 1500 : scenario.path_mtu;
  const std::uint32_t fixed = 20 + (scenario.udp ? 8 : 0) + 16 + 16;
  const std::uint32_t largest = (path - fixed) / 4 * 4 - 2;
  const std::uint32_t headers = (family == Family::ipv4 ? 20 : 40) + 8;

  const auto packet = [&](std::uint32_t size) {
    return udp_packet(gateway.host(family), gateway.far_host(family), 1, 2, payload(size - headers),
                      {.dont_fragment = dont_fragment});
  };
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(packet(largest))) == Verdict::ok);
  CHECK(gateway.take_wire(clear_port).empty());
  const std::vector<Bytes> esp = gateway.take_wire(black_port);
  REQUIRE(esp.size() == 1);
  CHECK(esp[0].size() - 14 <= path);

  const Bytes sent = packet(largest + 1);
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(sent)) == Verdict::too_big);
  CHECK(gateway.take_wire(black_port).empty());
  const std::vector<Bytes> told = gateway.take_wire(clear_port);
  REQUIRE(told.size() == 1);
  CHECK(std::equal(told[0].begin(), told[0].begin() + 6, gateway.host_mac().bytes.begin()));
  CHECK(std::equal(told[0].begin() + 6, told[0].begin() + 12, gateway.port_mac(clear_port).bytes.begin()));
  const IcmpSeen seen = read_error(told[0]);
  const std::size_t size = gateway.host(family).size();
  CHECK(std::equal(seen.ip.source(), seen.ip.source() + size, gateway.own(clear_port, family).bytes.begin()));
  CHECK(std::equal(seen.ip.destination(), seen.ip.destination() + size, gateway.host(family).bytes.begin()));
  CHECK(seen.type == (family == Family::ipv4 ? 3 : 2));
  CHECK(seen.code == (family == Family::ipv4 ? 4 : 0));
  CHECK(seen.word == largest);
  CHECK(starts_with(sent, seen.quote));  // as it was sent: TTL and all
  CHECK(seen.quote.size() == (family == Family::ipv4 ? 548U : 1232U));

  CHECK(gateway.pipeline->counters(clear_port).made_frames.get() == 1);
  CHECK(gateway.pipeline->counters(clear_port).verdicts.get(Verdict::answered) == 1);
  gateway.check_accounts();
}

TEST_CASE("a bypassed packet that its port cannot send is too big as well") {
  Scenario scenario;
  scenario.policies = {policy("open", PolicyAction::bypass, "10.1.0.0/16", "203.0.113.0/24", 20)};
  TestGateway gateway(1, scenario);
  gateway.clear_expected = true;
  const auto packet = [&](std::size_t size) {
    return gateway.from_host(udp_packet(gateway.host(), address("203.0.113.5"), 1, 2, payload(size - 28)));
  };
  CHECK(gateway.send(clear_port, Origin::wire, packet(1500)) == Verdict::bypassed);
  CHECK(gateway.send(clear_port, Origin::wire, packet(1501)) == Verdict::too_big);
  const std::vector<Bytes> told = gateway.take_wire(clear_port);
  REQUIRE(told.size() == 1);
  CHECK(read_error(told[0]).word == 1500);
  gateway.check_accounts();
}

TEST_CASE("the last hop is told to the clear side, and never to the black side") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  Pair pair(scenario);
  const auto packet = [&](TestGateway& from, std::uint8_t ttl) {
    return from.from_host(udp_packet(from.host(family), from.far_host(family), 1, 2, payload(), {.ttl = ttl}));
  };
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
    CHECK(pair.a.send(clear_port, Origin::wire, packet(pair.a, ttl)) == Verdict::ttl_exceeded);
    const std::vector<Bytes> told = pair.a.take_wire(clear_port);
    REQUIRE(told.size() == 1);
    const IcmpSeen seen = read_error(told[0]);
    CHECK(seen.type == (family == Family::ipv4 ? 11 : 3));
    CHECK(seen.code == 0);
    CHECK(seen.word == 0);
  }
  CHECK(pair.a.take_wire(black_port).empty());
  // Out of the tunnel with one hop left: dropped, and nobody is told.
  pair.b.inject(clear_port, Origin::wire, packet(pair.b, 2));
  pair.exchange();
  CHECK(pair.circuit.size() == 1);
  CHECK(pair.a.verdicts(Verdict::ttl_exceeded) == 3);
  CHECK(pair.a.take_wire(clear_port).empty());
  CHECK(pair.a.take_wire(black_port).empty());
  pair.check_accounts();
}

TEST_CASE("what comes out of a tunnel and is too big for the site is dropped without a word") {
  Scenario scenario;
  scenario.black_mtu = 9500;
  Pair pair(scenario);
  pair.b.inject(clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet(Family::ipv4, 9000 - 28)));
  pair.exchange();
  CHECK(pair.a.take_wire(clear_port).size() == 1);
  // Larger than the site's MTU: no host there could have sent it, so it is made by the peer gateway's kernel.
  Scenario wide = scenario;
  wide.policies = {policy("own", PolicyAction::protect, "192.0.2.2/32", "10.1.0.0/16", 10)};
  wide.policies[0].tunnel = "site";
  scenario.any_inner = true;
  scenario.policies = {policy("own", PolicyAction::protect, "10.1.0.0/16", "192.0.2.2/32", 10)};
  scenario.policies[0].tunnel = "site";
  Pair other(scenario, wide);
  CHECK(other.b.send(black_port, Origin::companion,
                     other.b.from_kernel(black_port, udp_packet(other.b.own(black_port), other.a.host(), 1, 2,
                                                                payload(9200)))) == Verdict::ok);
  other.exchange();
  CHECK(other.a.verdicts(Verdict::too_big) == 1);
  for (const PortIndex port : {clear_port, black_port}) CHECK(other.a.take_wire(port).empty());
  other.check_accounts();
}

TEST_CASE("ICMP errors are limited in number, and time refills them") {
  TestGateway gateway(1, {});
  const Bytes frame = gateway.from_host(gateway.site_packet(Family::ipv4, 2000));
  for (int i = 0; i < 200; ++i) CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::too_big);
  CHECK(gateway.take_wire(clear_port).size() == 20);
  gateway.advance(second / 20);
  for (int i = 0; i < 200; ++i) CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::too_big);
  CHECK(gateway.take_wire(clear_port).size() == 5);
  gateway.advance(100 * second);
  for (int i = 0; i < 200; ++i) CHECK(gateway.send(clear_port, Origin::wire, frame) == Verdict::too_big);
  CHECK(gateway.take_wire(clear_port).size() == 20);
  gateway.check_accounts();
}

TEST_CASE("no ICMP error about what must not be answered") {
  Scenario scenario;
  scenario.policies = {policy("mute", PolicyAction::discard, "10.1.0.1/32", "10.1.0.66/32", 1)};
  TestGateway gateway(1, scenario);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const auto silent = [&](const Bytes& packet, Verdict verdict) {
    CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(packet)) == verdict);
    CHECK(gateway.take_wire(clear_port).empty());
  };
  const IpAddress host = gateway.host(family);
  const IpAddress far = gateway.far_host(family);
  const auto errors = family == Family::ipv4 ? std::vector<std::uint8_t>{3, 4, 5, 11, 12}
                                             : std::vector<std::uint8_t>{1, 2, 3, 4, 100, 127};
  for (const std::uint8_t type : errors) silent(icmp_packet(host, far, type, 0, Bytes(1996), {}), Verdict::too_big);
  silent(ip(host, far, 17, Bytes(2000), {.fragment_offset = 5}), Verdict::too_big);
  if (family == Family::ipv4)  // a policy that discards the answer
    silent(udp_packet(address("10.1.0.66"), far, 1, 2, Bytes(2000)), Verdict::too_big);
  // An echo request and a first fragment are answered.
  CHECK(gateway.send(clear_port, Origin::wire,
                     gateway.from_host(icmp_packet(host, far, family == Family::ipv4 ? 8 : 128, 0, Bytes(1996), {}))) ==
        Verdict::too_big);
  CHECK(gateway.send(clear_port, Origin::wire,
                     gateway.from_host(ip(host, far, 17, Bytes(2000), {.more_fragments = true}))) == Verdict::too_big);
  CHECK(gateway.take_wire(clear_port).size() == 2);
  // Nor is anything made when there is no buffer, or no address to send from.
  gateway.io.may_allocate = false;
  silent(gateway.site_packet(family, 2000), Verdict::too_big);
  gateway.io.may_allocate = true;
  gateway.fib_input.addresses.clear();
  gateway.rebuild_fib();
  silent(gateway.site_packet(family, 2000), Verdict::too_big);
  gateway.check_accounts();
}

TEST_CASE("the companion's packet that is too big is dropped without a word on any wire") {
  Scenario scenario;
  scenario.policies = {policy("own", PolicyAction::protect, "192.0.2.1/32", "10.2.0.0/16", 10)};
  scenario.policies[0].tunnel = "site";
  TestGateway gateway(1, scenario);
  CHECK(gateway.send(black_port, Origin::companion,
                     gateway.from_kernel(black_port, udp_packet(gateway.own(black_port), gateway.far_host(), 1, 2,
                                                                payload(1460)))) == Verdict::too_big);
  for (const PortIndex port : {clear_port, black_port, second_black_port}) CHECK(gateway.take_wire(port).empty());
  gateway.check_accounts();
}

TEST_CASE("a too-big that quotes a live SA lowers the path MTU, and its near misses do not") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.outer = GENERATE(Family::ipv4, Family::ipv6);
  scenario.udp = GENERATE(false, true);
  TestGateway gateway(1, scenario);
  const Family family = scenario.outer;
  const std::uint32_t outer = family == Family::ipv4 ? 20 : 40;
  const IpAddress router = address(family == Family::ipv4 ? "203.0.113.254" : "2001:db8:99::1");
  const IpAddress us = gateway.own(black_port, family);
  const std::atomic<std::uint32_t>& learnt = gateway.tunnels[0]->learnt_mtu;

  REQUIRE(gateway.send(clear_port, Origin::wire, gateway.from_host(gateway.site_packet())) == Verdict::ok);
  const Bytes esp_frame = gateway.take_wire(black_port).at(0);
  const Bytes esp(esp_frame.begin() + 14, esp_frame.end());
  const auto tell = [&](std::uint32_t mtu, const Bytes& quote) {
    CHECK(gateway.send(black_port, Origin::wire, gateway.from_peer(too_big_packet(router, us, mtu, quote))) ==
          Verdict::policy_default);
    return learnt.load();
  };
  const auto changed = [&](std::size_t at, std::uint8_t bit = 1) {
    Bytes quote = esp;
    quote.at(at) ^= bit;
    return quote;
  };
  const std::size_t spi = outer + (scenario.udp ? 8 : 0);
  const std::size_t source = family == Family::ipv4 ? 12 : 8;

  // Near misses.
  CHECK(tell(1300, changed(spi)) == 0);
  CHECK(tell(1300, changed(spi + 3)) == 0);
  CHECK(tell(1300, changed(source + 3)) == 0);
  CHECK(tell(1300, changed(source + (family == Family::ipv4 ? 4 : 16))) == 0);
  CHECK(tell(1300, changed(family == Family::ipv4 ? 9 : 6)) == 0);  // another protocol
  CHECK(tell(1300, changed(0, 0x10)) == 0);                         // another version
  if (scenario.udp) {
    CHECK(tell(1300, changed(outer + 1)) == 0);
    CHECK(tell(1300, changed(outer + 3)) == 0);
  }
  CHECK(tell(1300, Bytes(esp.begin(), esp.begin() + static_cast<std::ptrdiff_t>(spi) + 3)) == 0);
  CHECK(tell(1300, {}) == 0);
  // The right SPI in the other encapsulation.
  Bytes other = esp;
  const auto behind_ip = other.begin() + static_cast<std::ptrdiff_t>(outer);
  if (scenario.udp)
    other.erase(behind_ip, behind_ip + 8);
  else
    other.insert(behind_ip, {0x11, 0x94, 0x11, 0x94, 0, 0, 0, 0});
  other[family == Family::ipv4 ? 9 : 6] = scenario.udp ? 50 : 17;
  CHECK(tell(1300, other) == 0);
  CHECK(tell(0, esp) == 0);
  CHECK(tell(family == Family::ipv4 ? 575 : 1279, esp) == 0);
  // A wrong checksum, another type, another code, a fragment, to another of our addresses.
  const Bytes good = too_big_packet(router, us, 1300, esp);
  Bytes bad = good;
  bad[bad.size() - 1] ^= 1;
  CHECK(gateway.send(black_port, Origin::wire, gateway.from_peer(bad)) == Verdict::policy_default);
  Bytes rest = {0, 0, 0x05, 0x14};
  rest.insert(rest.end(), esp.begin(), esp.end());
  const std::uint8_t type = family == Family::ipv4 ? 3 : 2;
  const std::uint8_t code = family == Family::ipv4 ? 4 : 0;
  for (const Bytes& packet : {icmp_packet(router, us, static_cast<std::uint8_t>(type + 1), code, rest),
                              icmp_packet(router, us, type, static_cast<std::uint8_t>(code + 1), rest),
                              icmp_packet(router, us, type, code, rest, {.more_fragments = true}),
                              icmp_packet(router, gateway.own(second_black_port, family), type, code, rest)})
    CHECK(gateway.send(black_port, Origin::wire, gateway.from_peer(packet)) == Verdict::policy_default);
  CHECK(learnt == 0);
  // From the clear side, as if it came from outside.
  gateway.send(clear_port, Origin::wire, gateway.from_host(too_big_packet(gateway.host(family), us, 1300, esp)));
  CHECK(learnt == 0);
  // An SA that is gone.
  const SaId sa = gateway.egress_sa();
  gateway.tunnels[0]->carry_with({}, 0);
  CHECK(tell(1300, esp) == 0);
  gateway.tunnels[0]->egress_spi = gateway.esp_sa(Direction::egress).spi;
  CHECK(tell(1300, esp) == 0);
  gateway.tunnels[0]->carry_with(sa, gateway.esp_sa(Direction::egress).spi);

  // The real one, and it only lowers.
  CHECK(tell(1400, esp) == 1400);
  CHECK(gateway.tunnels[1]->learnt_mtu == 0);
  CHECK(tell(1300, esp) == 1300);
  CHECK(tell(1450, esp) == 1300);
  const std::uint32_t smallest = family == Family::ipv4 ? 576 : 1280;
  CHECK(tell(smallest, esp) == smallest);

  // It holds for what the site sends, and wears off.
  const std::uint32_t largest = (smallest - outer - (scenario.udp ? 8 : 0) - 32) / 4 * 4 - 2;
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(gateway.site_packet(Family::ipv4, largest - 28))) ==
        Verdict::ok);
  const Bytes longer = gateway.from_host(gateway.site_packet(Family::ipv4, largest + 1 - 28));
  CHECK(gateway.send(clear_port, Origin::wire, longer) == Verdict::too_big);
  CHECK(read_error(gateway.take_wire(clear_port).at(0)).word == largest);
  gateway.advance(599 * second);
  CHECK(learnt == smallest);
  gateway.advance(2 * second);
  CHECK(learnt == 0);
  CHECK(gateway.send(clear_port, Origin::wire, longer) == Verdict::ok);
  gateway.take_wire(black_port);
  gateway.check_accounts();
}
