// What the in-line ports decide about a frame, against the gateway's pipeline: the same verdict, and the same bytes
// where something goes on.
#include <fmt/format.h>

#include <catch2/catch.hpp>
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
