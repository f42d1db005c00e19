// What the in-line ports decide about a frame, against the gateway's pipeline: the same verdict, and the same bytes
// where something goes on.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <set>

#include "firmware_hls/ports/black_side.hpp"
#include "firmware_hls/ports/host_side.hpp"
#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/firmware_hls/ports/gateway_words.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::ports_test;
namespace gt = linecrypt::gateway::test;
namespace fp = linecrypt::firmware::ports;
using gateway::Origin;

namespace {

Verdict verdict_of(abi::VerdictCode code) {
  return static_cast<Verdict>(code);
}

// The frame as the course writes it.
Bytes written(const fp::Course& course, const Bytes& frame) {
  if (course.keeps) return frame;
  const firmware::Cut& cut = course.cut;
  REQUIRE(std::size_t{cut.strip} + cut.keep <= frame.size());
  Bytes out(cut.head, cut.head + cut.head_bytes);
  out.insert(out.end(), frame.begin() + cut.strip, frame.begin() + cut.strip + cut.keep);
  return out;
}
Bytes padded(Bytes frame) {
  if (frame.size() < wire::ethernet_smallest) frame.resize(wire::ethernet_smallest);
  return frame;
}

// A frame whose fate the card leaves to the host is one it could not see through: beyond the parser or the window.
struct Tally {
  std::map<std::string, std::uint64_t> seen;
  std::uint64_t left_to_host = 0;
  std::uint64_t frames = 0;
};

std::string hex(const Bytes& frame) {
  std::string text;
  for (std::size_t i = 0; i < frame.size() && i < 160; ++i) text += fmt::format("{:02x}", frame[i]);
  return text;
}

// What the card does, held to what the pipeline did. `outputs`: where the pipeline's frame went.
void compare(TestGateway& gateway, gateway::PortIndex port, Origin origin, const Bytes& frame, const fp::Course& course,
             Tally& tally) {
  const Verdict verdict = gateway.send(port, origin, frame);
  const Verdict said = verdict_of(course.verdict);
  const gateway::PortIndex other = port == gt::clear_port ? gt::black_port : gt::clear_port;
  const gateway::PortIndex out = origin == Origin::companion ? port : other;
  std::vector<Bytes> companion = gateway.take_companion(port);
  std::vector<Bytes> wire = gateway.take_wire(out);
  gateway.take_wire(out == port ? other : port);  // what it answered
  gateway.take_companion(other);
  ++tally.frames;
  ++tally.seen[std::string(name(verdict))];
  INFO("port " << port << ", " << (origin == Origin::wire ? "wire" : "companion") << ": " << hex(frame));
  INFO("the pipeline says " << name(verdict) << ", the card " << name(said) << " to " << int(course.to));
  switch (course.to) {
    case fp::Destination::nowhere:
      // The host's own packet with headers beyond the card's parser: it is not sent.
      if (said == Verdict::unsupported && origin == Origin::companion) {
        ++tally.left_to_host;
        break;
      }
      CHECK(said == verdict);
      break;
    case fp::Destination::host:
      if (said == Verdict::unsupported) {
        ++tally.left_to_host;
        break;
      }
      CHECK(said == verdict);
      if (verdict == Verdict::exempt || verdict == Verdict::punted) {
        REQUIRE(companion.size() == 1);
        CHECK(written(course, frame) == companion[0]);
      }
      break;
    case fp::Destination::wire:
      if (course.decapsulate) {
        static const std::set<Verdict> behind = {Verdict::esp_unknown_spi, Verdict::esp_short, Verdict::esp_bad_icv,
                                                 Verdict::esp_outer_mismatch};
        CHECK(behind.count(verdict) == 1);
        break;
      }
      if (course.validate) {
        static const std::set<Verdict> behind = {Verdict::macsec_unknown_sci, Verdict::macsec_unused_sa,
                                                 Verdict::macsec_not_valid,   Verdict::macsec_no_sci,
                                                 Verdict::replay_duplicate,   Verdict::replay_late};
        CHECK(behind.count(verdict) == 1);
        break;
      }
      REQUIRE(course.to == fp::Destination::wire);
      CHECK(said == verdict);
      if (course.encapsulate) {
        CHECK(course.sa.index == gateway.egress_sa().index);
        CHECK(course.sa.generation == gateway.egress_sa().generation);
      } else if (verdict == said && !(course.controlled && gateway.secy && out == gt::black_port)) {
        REQUIRE(wire.size() == 1);
        CHECK(padded(written(course, frame)) == wire[0]);
      }
      break;
  }
  // Nothing in clear to a circuit but by a policy that says so, or an exemption.
  const bool to_circuit = course.to == fp::Destination::wire && !course.encapsulate && out == gt::black_port;
  if (to_circuit) CHECK((said == Verdict::bypassed || said == Verdict::exempt));
}

struct Card {
  PolicyTable<entries> egress;
  PolicyTable<entries> ingress;

  Card(TestGateway& gateway, const gt::Scenario& scenario) {
    const card::InlineGateway words = inline_gateway(gateway, scenario);
    publish(egress, words, abi::egress_port);
    publish(ingress, words, abi::ingress_port);
  }
  [[nodiscard]] fp::Course decide(gateway::PortIndex port, Origin origin, const Bytes& frame) const {
    const Window window = window_of(frame);
    const auto length = static_cast<std::uint32_t>(frame.size());
    if (origin == Origin::companion) {
      const bool black = port == gt::black_port;
      return fp::from_host((black ? egress : ingress).live(), black, window, length);
    }
    if (port == gt::clear_port) return fp::from_site(egress.live(), window, length);
    const fp::Course course = fp::from_circuit(ingress.live(), window, length);
    return course.keeps && !course.validate ? fp::from_controlled_port(ingress.live(), window, length) : course;
  }
};

gt::Scenario random_scenario(std::mt19937_64& random) {
  gt::Scenario scenario;
  scenario.outer = below(random, 2) == 0 ? Family::ipv4 : Family::ipv6;
  scenario.macsec = below(random, 3) == 0;
  scenario.udp = below(random, 3) == 0 && scenario.outer == Family::ipv4;
  scenario.esp = below(random, 4) != 0;
  if (below(random, 2) == 0) scenario.vlan.push_back({0x8100, 100});
  if (below(random, 4) == 0) scenario.vlan.insert(scenario.vlan.begin(), {0x88a8, 200});
  scenario.policies = random_policies(random, below(random, 12));
  return scenario;
}

}  // namespace

TEST_CASE("frames and policies at random: the ports decide what the pipeline decides") {
  const std::uint64_t seeds = linecrypt::test::long_form() ? 400 : 24;
  Tally tally;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::mt19937_64 random(seed);
    const gt::Scenario scenario = random_scenario(random);
    INFO("seed " << seed);
    TestGateway gateway(1, scenario);
    gateway.clear_expected = true;
    take_third_port(gateway);
    const Card card(gateway, scenario);
    FrameMaker maker(seed * 7919, gateway);
    for (int i = 0; i < 500; ++i) {
      const gateway::PortIndex port = below(random, 2) == 0 ? gt::clear_port : gt::black_port;
      const Origin origin = below(random, 3) == 0 ? Origin::companion : Origin::wire;
      const Bytes frame = maker.make(port, origin == Origin::companion,
                                     port == gt::black_port ? scenario.vlan : std::vector<ClearVlanTag>{});
      compare(gateway, port, origin, frame, card.decide(port, origin, frame), tally);
    }
  }
  // The frames reached what they were made for.
  for (const char* wanted : {"ok",
                             "bypassed",
                             "exempt",
                             "exemption_refused",
                             "punted",
                             "policy_discard",
                             "policy_default",
                             "policy_clear_inbound",
                             "no_sa",
                             "foreign_source",
                             "ttl_exceeded",
                             "malformed_ip",
                             "oversize",
                             "wrong_destination_mac",
                             "malformed_ethernet",
                             "unknown_ethertype",
                             "macsec_untagged",
                             "macsec_vlan_missing",
                             "macsec_vlan_mismatch",
                             "esp_unknown_spi",
                             "esp_fragment",
                             "esp_bad_udp",
                             "keepalive",
                             "no_route",
                             "too_big"}) {
    INFO(wanted);
    CHECK(tally.seen[wanted] != 0);
  }
  INFO("left to the host: " << tally.left_to_host << " of " << tally.frames);
  CHECK(tally.left_to_host < tally.frames / 10);
}

namespace {

// Every case through the pipeline and through the card's decision; `expected` is what both must say.
struct NearMiss {
  const char* what;
  Bytes frame;
  Verdict expected;
};

void hold(const gt::Scenario& scenario, gateway::PortIndex port, Origin origin,
          const std::function<std::vector<NearMiss>(TestGateway&)>& cases) {
  TestGateway gateway(1, scenario);
  gateway.clear_expected = true;
  take_third_port(gateway);
  const Card card(gateway, scenario);
  Tally tally;
  for (const NearMiss& one : cases(gateway)) {
    INFO(one.what);
    const fp::Course course = card.decide(port, origin, one.frame);
    CHECK(verdict_of(course.verdict) == one.expected);
    compare(gateway, port, origin, one.frame, course, tally);
  }
  CHECK(tally.left_to_host == 0);
}

Bytes with(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes.at(at) = value;
  return bytes;
}

const MacAddress everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
const Bytes message(40, 0x11);
const Bytes marked_message = [] {
  Bytes out(44, 0x11);
  std::fill_n(out.begin(), 4, std::uint8_t{0});
  return out;
}();

}  // namespace

TEST_CASE("EAPOL: its near misses, both ways") {
  for (const gateway::PortIndex port : {gt::clear_port, gt::black_port}) {
    const auto eapol = [](const char* to, const MacAddress& from) {
      return gt::ethernet(gt::mac(to), from, wire::ethertype_eapol, {3, 5, 0, 0});
    };
    hold({}, port, Origin::wire, [&](TestGateway& g) -> std::vector<NearMiss> {
      const MacAddress from = g.peer_mac();
      Bytes own = eapol("00:00:00:00:00:00", from);
      std::copy_n(g.port_mac(port).bytes.begin(), 6, own.begin());
      return {{"bridge group", eapol("01:80:c2:00:00:03", from), Verdict::exempt},
              {"customer bridge group", eapol("01:80:c2:00:00:00", from), Verdict::exempt},
              {"LAN group", eapol("01:80:c2:00:00:0e", from), Verdict::exempt},
              {"own MAC", own, Verdict::exempt},
              {"another reserved group", eapol("01:80:c2:00:00:02", from), Verdict::exemption_refused},
              {"nearly the prefix", eapol("01:80:c3:00:00:03", from), Verdict::exemption_refused},
              {"broadcast", eapol("ff:ff:ff:ff:ff:ff", from), Verdict::exemption_refused},
              {"another station", eapol("02:00:00:00:77:77", from), Verdict::wrong_destination_mac}};
    });
    hold({}, port, Origin::companion, [&](TestGateway& g) -> std::vector<NearMiss> {
      const MacAddress from = g.port_mac(port);
      return {{"group", eapol("01:80:c2:00:00:03", from), Verdict::exempt},
              {"another group", eapol("01:80:c2:00:00:02", from), Verdict::exemption_refused},
              {"a station", eapol("02:00:00:00:02:01", from), Verdict::exemption_refused},
              {"foreign source", eapol("01:80:c2:00:00:03", g.host_mac()), Verdict::foreign_source}};
    });
  }
}

TEST_CASE("ARP: its near misses, both ways") {
  for (const gateway::PortIndex port : {gt::clear_port, gt::black_port}) {
    hold({}, port, Origin::wire, [&](TestGateway& g) -> std::vector<NearMiss> {
      const MacAddress from = g.peer_mac();
      const IpAddress sender = gt::address(port == gt::clear_port ? "10.1.0.77" : "192.0.2.77");
      const auto frame = [&](const Bytes& body) { return gt::ethernet(everyone, from, wire::ethertype_arp, body); };
      const Bytes request = gt::arp(1, from, sender, MacAddress{}, g.own(port));
      Bytes cut = request;
      cut.pop_back();
      const gateway::PortIndex other = port == gt::clear_port ? gt::black_port : gt::clear_port;
      return {{"request", frame(request), Verdict::exempt},
              {"announcement", frame(gt::arp(1, from, sender, MacAddress{}, sender)), Verdict::exempt},
              {"for another", frame(gt::arp(1, from, sender, MacAddress{}, gt::address("192.0.2.99"))),
               Verdict::exemption_refused},
              {"for our other port", frame(gt::arp(1, from, sender, MacAddress{}, g.own(other))),
               Verdict::exemption_refused},
              {"another sender", frame(gt::arp(1, g.host_mac(), sender, MacAddress{}, g.own(port))),
               Verdict::exemption_refused},
              {"operation 3", frame(gt::arp(3, from, sender, MacAddress{}, g.own(port))), Verdict::exemption_refused},
              {"hardware", frame(with(request, 1, 6)), Verdict::exemption_refused},
              {"protocol", frame(with(request, 2, 0x86)), Verdict::exemption_refused},
              {"hardware size", frame(with(request, 4, 8)), Verdict::exemption_refused},
              {"protocol size", frame(with(request, 5, 16)), Verdict::exemption_refused},
              {"cut off", frame(cut), Verdict::exemption_refused}};
    });
    hold({}, port, Origin::companion, [&](TestGateway& g) -> std::vector<NearMiss> {
      const MacAddress own = g.port_mac(port);
      const IpAddress target = gt::address("192.0.2.77");
      const auto frame = [&](const Bytes& body) { return gt::ethernet(everyone, own, wire::ethertype_arp, body); };
      Bytes rider = frame(gt::arp(1, own, g.own(port), MacAddress{}, target));
      rider.resize(rider.size() + 40, 0x55);  // nothing rides behind it: compare() looks at the bytes
      const gateway::PortIndex other = port == gt::clear_port ? gt::black_port : gt::clear_port;
      return {
          {"request", frame(gt::arp(1, own, g.own(port), MacAddress{}, target)), Verdict::exempt},
          {"probe", frame(gt::arp(1, own, gt::address("0.0.0.0"), MacAddress{}, target)), Verdict::exempt},
          {"with a rider", rider, Verdict::exempt},
          {"foreign address", frame(gt::arp(1, own, g.host(), MacAddress{}, target)), Verdict::exemption_refused},
          {"the other port's", frame(gt::arp(1, own, g.own(other), MacAddress{}, target)), Verdict::exemption_refused},
          {"foreign MAC", frame(gt::arp(1, g.host_mac(), g.own(port), MacAddress{}, target)),
           Verdict::exemption_refused}};
    });
  }
}

TEST_CASE("neighbour discovery: its near misses, both ways") {
  for (const gateway::PortIndex port : {gt::clear_port, gt::black_port}) {
    const IpAddress group = gt::address("ff02::1:ff00:1");
    const IpAddress sender = gt::address("fe80::77");
    hold({}, port, Origin::wire, [&](TestGateway& g) -> std::vector<NearMiss> {
      const IpAddress own = g.own(port, Family::ipv6);
      const auto many = [&](const Bytes& packet) {
        return gt::ethernet_ip(gt::mac("33:33:ff:00:00:01"), g.peer_mac(), packet);
      };
      const auto one = [&](const Bytes& packet) { return gt::ethernet_ip(g.port_mac(port), g.peer_mac(), packet); };
      const Bytes good = gt::neighbour_solicitation(sender, group, own);
      return {
          {"to the group", many(good), Verdict::exempt},
          {"to us", one(gt::neighbour_solicitation(sender, own, own)), Verdict::exempt},
          {"hop limit 254", many(gt::neighbour_solicitation(sender, group, own, 254)), Verdict::exemption_refused},
          {"wider scope", many(gt::neighbour_solicitation(sender, gt::address("ff05::1"), own)),
           Verdict::exemption_refused},
          {"to be forwarded", one(gt::neighbour_solicitation(sender, g.far_host(Family::ipv6), own)),
           Verdict::exemption_refused},
          {"wrong checksum", many(with(good, 42, static_cast<std::uint8_t>(good[42] ^ 1U))),
           Verdict::exemption_refused},
          {"code 1", many(gt::icmp_packet(sender, group, 135, 1, Bytes(20), {.ttl = 255})), Verdict::exemption_refused},
          {"too short", many(gt::icmp_packet(sender, group, 135, 0, Bytes(2), {.ttl = 255})),
           Verdict::exemption_refused},
          {"a fragment", many(gt::icmp_packet(sender, group, 135, 0, Bytes(20), {.ttl = 255, .more_fragments = true})),
           Verdict::exemption_refused},
          {"type 132", many(gt::icmp_packet(sender, group, 132, 0, Bytes(20), {.ttl = 255})),
           port == gt::clear_port ? Verdict::punted : Verdict::policy_default},
          {"type 138", many(gt::icmp_packet(sender, group, 138, 0, Bytes(20), {.ttl = 255})),
           port == gt::clear_port ? Verdict::punted : Verdict::policy_default}};
    });
    hold({}, port, Origin::companion, [&](TestGateway& g) -> std::vector<NearMiss> {
      const IpAddress own = g.own(port, Family::ipv6);
      const IpAddress near = gt::address(port == gt::clear_port ? "2001:db8:1::55" : "2001:db8:ff::55");
      const auto frame = [&](const Bytes& packet) {
        return gt::ethernet_ip(gt::mac("33:33:00:00:00:01"), g.port_mac(port), packet);
      };
      return {{"to the group", frame(gt::neighbour_solicitation(own, group, near)), Verdict::exempt},
              {"from nowhere", frame(gt::neighbour_solicitation(gt::address("::"), group, own)), Verdict::exempt},
              {"to a neighbour", frame(gt::neighbour_solicitation(own, near, near)), Verdict::exempt},
              {"foreign source", frame(gt::neighbour_solicitation(g.host(Family::ipv6), group, near)),
               Verdict::exemption_refused},
              {"hop limit 254", frame(gt::neighbour_solicitation(own, group, near, 254)), Verdict::exemption_refused},
              {"beyond the link", frame(gt::neighbour_solicitation(own, gt::address("2001:db8:7777::1"), near)),
               Verdict::exemption_refused},
              {"wider scope", frame(gt::neighbour_solicitation(own, gt::address("ff05::2"), near)),
               Verdict::exemption_refused}};
    });
  }
}

TEST_CASE("IKE: its near misses, both ways") {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    hold({}, gt::black_port, Origin::wire, [&](TestGateway& g) -> std::vector<NearMiss> {
      const IpAddress peer = g.peer(family);
      const IpAddress own = g.own(gt::black_port, family);
      const auto frame = [&](std::uint16_t from, std::uint16_t to, const Bytes& body, const IpAddress& destination) {
        return g.from_peer(gt::udp_packet(peer, destination, from, to, body));
      };
      Bytes short_udp = frame(500, 500, message, own);
      short_udp[14 + (family == Family::ipv4 ? 20 : 40) + 5] -= 1;
      return {
          {"500", frame(500, 500, message, own), Verdict::exempt},
          {"500 from behind a NAT", frame(31234, 500, message, own), Verdict::exempt},
          {"4500, marked", frame(4500, 4500, marked_message, own), Verdict::exempt},
          {"the marker alone", frame(4500, 4500, {0, 0, 0, 0}, own), Verdict::exempt},
          {"keepalive", frame(4500, 4500, {0xff}, own), Verdict::keepalive},
          {"another byte", frame(4500, 4500, {0xfe}, own), Verdict::esp_bad_udp},
          {"nothing", frame(4500, 4500, {}, own), Verdict::esp_bad_udp},
          {"501", frame(500, 501, message, own), Verdict::policy_default},
          {"4501, marked", frame(4500, 4501, marked_message, own), Verdict::policy_default},
          {"500 as a source", frame(500, 1234, message, own), Verdict::policy_default},
          {"to our clear address", frame(500, 500, message, g.own(gt::clear_port, family)), Verdict::policy_default},
          {"to the site", frame(500, 500, message, g.host(family)), Verdict::policy_default},
          {"UDP length", short_udp, Verdict::exemption_refused},
          {"first fragment",
           g.from_peer(gt::ip(peer, own, 17, gt::udp(peer, own, 500, 500, Bytes(32)), {.more_fragments = true})),
           Verdict::exemption_refused},
          {"later fragment", g.from_peer(gt::ip(peer, own, 17, Bytes(32), {.fragment_offset = 4})),
           Verdict::policy_default}};
    });
    hold({}, gt::black_port, Origin::companion, [&](TestGateway& g) -> std::vector<NearMiss> {
      const IpAddress peer = g.peer(family);
      const IpAddress own = g.own(gt::black_port, family);
      const auto frame = [&](const IpAddress& from, std::uint16_t source, std::uint16_t destination,
                             const Bytes& body) {
        return g.from_kernel(gt::black_port, gt::udp_packet(from, peer, source, destination, body));
      };
      return {{"500", frame(own, 500, 500, message), Verdict::exempt},
              {"4500, marked", frame(own, 4500, 4500, marked_message), Verdict::exempt},
              {"keepalive", frame(own, 4500, 4500, {0xff}), Verdict::exempt},
              {"4500 without the marker", frame(own, 4500, 4500, message), Verdict::exemption_refused},
              {"another byte", frame(own, 4500, 4500, {0xfe}), Verdict::exemption_refused},
              {"501", frame(own, 501, 500, message), Verdict::policy_default},
              {"only to 4500", frame(own, 1234, 4500, marked_message), Verdict::policy_default},
              {"our clear address", frame(g.own(gt::clear_port, family), 500, 500, message), Verdict::foreign_source},
              {"the site's", frame(g.host(family), 500, 500, message), Verdict::foreign_source}};
    });
  }
}
