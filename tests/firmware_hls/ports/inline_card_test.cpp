// The whole bump-in-the-wire card against the software gateway: the same frames in, the same frames out of every door,
// byte for byte, and the same counts.
#include <catch2/catch.hpp>
#include <map>

#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/firmware_hls/ports/inline_rig.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::ports_test;
namespace gt = linecrypt::gateway::test;
using gateway::Origin;

namespace {

// The host gets these to decide or to answer; the pipeline is that host.
bool for_the_host(std::uint8_t verdict) {
  return verdict == static_cast<std::uint8_t>(Verdict::unsupported) ||
         verdict == static_cast<std::uint8_t>(Verdict::ttl_exceeded) ||
         verdict == static_cast<std::uint8_t>(Verdict::too_big);
}

// What a verdict of the pipeline's is on the card.
Verdict on_card(Verdict verdict) {
  if (verdict == Verdict::macsec_unused_sa) return Verdict::macsec_unknown_sci;  // found together, by one hash
  return verdict;
}

gt::Scenario scenario_of(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  gt::Scenario scenario;
  scenario.outer = seed % 2 == 0 ? Family::ipv4 : Family::ipv6;
  scenario.macsec = seed % 3 == 0;
  scenario.udp = seed % 4 == 2;
  if (seed % 5 == 0) scenario.vlan.push_back({0x8100, 100});
  if (seed > 1) scenario.policies = random_policies(random, below(random, 8));
  return scenario;
}

}  // namespace

TEST_CASE("a card in a gateway's place: clear frames in, the same frames out to the circuit, and back") {
  const std::uint64_t seeds = test::long_form() ? 30 : 5;
  std::uint64_t out_ok = 0;
  std::uint64_t in_ok = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    const gt::Scenario scenario = scenario_of(seed);
    gt::Scenario far_scenario = scenario;
    far_scenario.policies.clear();  // they are written for this side
    gt::Pair pair(scenario, far_scenario);
    pair.a.clear_expected = pair.b.clear_expected = true;
    take_third_port(pair.a);
    InlineRig rig;
    rig.take_place_of(pair.a, scenario);
    FrameMaker maker(seed * 104729, pair.a);
    FrameMaker far(seed * 7, pair.b);
    std::mt19937_64& random = maker.random();
    std::map<Verdict, std::int64_t> expected;
    std::uint64_t received = 0;
    std::int64_t beyond_parser = 0;
    for (int i = 0; i < 150; ++i) {
      // 1. A frame: from the site, from the circuit, or of the host's own.
      const std::uint32_t kind = below(random, 6);
      gateway::PortIndex port = kind < 2 ? gt::clear_port : gt::black_port;
      Origin origin = Origin::wire;
      Bytes frame;
      if (kind == 0) {
        frame = pair.a.from_host(
            pair.a.site_packet(below(random, 2) == 0 ? Family::ipv4 : Family::ipv6, 1 + below(random, 1300)));
      } else if (kind == 1) {
        frame = maker.make(port, false, {});
      } else if (kind == 2) {
        frame = maker.make(port, false, scenario.vlan);
      } else if (kind == 3) {
        port = below(random, 2) == 0 ? gt::clear_port : gt::black_port;
        origin = Origin::companion;
        frame = maker.make(port, true, {});
      } else {
        // From the other gateway, through its own SAs; sometimes with a bit changed.
        const Bytes inner = kind == 4
                                ? pair.b.from_host(pair.b.site_packet(
                                      below(random, 2) == 0 ? Family::ipv4 : Family::ipv6, 1 + below(random, 1300)))
                                : far.make(gt::clear_port, false, {});
        pair.b.send(gt::clear_port, Origin::wire, inner);
        pair.b.take_wire(gt::clear_port);
        pair.b.take_companion(gt::clear_port);
        const std::vector<Bytes> sent = pair.b.take_wire(gt::black_port);
        if (sent.empty()) continue;
        frame = sent.back();
        if (below(random, 10) == 0) frame[14 + below(random, static_cast<std::uint32_t>(frame.size() - 14))] ^= 4U;
      }
      // 2. Into the card.
      if (origin == Origin::companion) {
        if (frame.size() < 14) continue;  // a ring takes no such entry
        rig.inject(port, frame);
      } else {
        REQUIRE(rig.receive(port, frame));
        ++received;
      }
      rig.settle();
      const std::vector<HostFrame> exceptions = rig.exceptions();
      const std::vector<Bytes> to_circuit = rig.transmitted(abi::black_port);
      const std::vector<Bytes> to_site = rig.transmitted(abi::clear_port);
      if (!exceptions.empty() && for_the_host(exceptions[0].header.verdict)) {
        // The host does what is left; nothing else has happened.
        CHECK(exceptions.size() == 1);
        CHECK(to_circuit.empty());
        CHECK(to_site.empty());
        ++expected[Verdict::punted];
        continue;
      }
      // 3. Into the gateway: the same comes out of every door.
      const Verdict verdict = pair.a.send(port, origin, frame);
      INFO("frame " << i << " of kind " << kind << ", port " << port << ", pipeline " << name(verdict));
      const std::vector<Bytes> circuit = pair.a.take_wire(gt::black_port);
      const std::vector<Bytes> site = pair.a.take_wire(gt::clear_port);
      std::vector<Bytes> companion = pair.a.take_companion(gt::clear_port);
      for (Bytes& one : pair.a.take_companion(gt::black_port)) companion.push_back(std::move(one));
      // The host's own packet with headers beyond the card's parser is not sent; from here on numbers differ.
      const bool not_sent =
          origin == Origin::companion && to_circuit.empty() && to_site.empty() && circuit.size() + site.size() == 1;
      if (not_sent) {
        ++beyond_parser;
        break;
      }
      ++expected[on_card(verdict)];
      REQUIRE(to_circuit == circuit);
      REQUIRE(to_site == site);
      REQUIRE(exceptions.size() == companion.size());
      for (std::size_t j = 0; j < exceptions.size(); ++j) {
        CHECK(exceptions[j].frame == companion[j]);
        CHECK(exceptions[j].header.verdict == static_cast<std::uint8_t>(verdict));
        const bool from_esp = (exceptions[j].header.flags & abi::host_frame::decapsulated) != 0;
        if (kind >= 4 && verdict == Verdict::punted && !scenario.macsec) CHECK(from_esp);
      }
      if (verdict == Verdict::ok && port == gt::clear_port) ++out_ok;
      if (verdict == Verdict::ok && kind >= 4) ++in_ok;
    }
    // 4. Each frame counted once, under the same verdict; but what the host sends with headers beyond the card's parser
    //    is `unsupported` there, whatever the pipeline would refuse of it.
    for (std::size_t code = 0; code < verdict_count; ++code) {
      const auto verdict = static_cast<Verdict>(code);
      INFO(name(verdict));
      const std::int64_t counted =
          static_cast<std::int64_t>(rig.verdicts(abi::egress_port, verdict) + rig.verdicts(abi::ingress_port, verdict));
      if (verdict == Verdict::unsupported) {
        beyond_parser -= counted - expected[verdict];
        continue;
      }
      CHECK(counted <= expected[verdict]);
      beyond_parser += expected[verdict] - counted;
    }
    CHECK(beyond_parser == 0);
    const abi::PortCounts clear = rig.counts(abi::egress_port, abi::PortCounter::receive);
    const abi::PortCounts black = rig.counts(abi::ingress_port, abi::PortCounter::receive);
    CHECK(clear.frames + black.frames == received);
  }
  CHECK(out_ok > 20);
  CHECK(in_ok > 20);
}
