// What a bump-in-the-wire card must never do, and what it does when its host is gone, slow, or wrong.
#include <catch2/catch.hpp>

#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/firmware_hls/ports/inline_rig.hpp"

using namespace linecrypt;
using namespace linecrypt::ports_test;
namespace gt = linecrypt::gateway::test;
using firmware_test::CardHost;
using gateway::Origin;

namespace {

constexpr std::uint8_t code(Verdict verdict) {
  return static_cast<std::uint8_t>(verdict);
}

struct Placed {
  explicit Placed(const gt::Scenario& settings = {}, Lease egress = InlineRig::lease, std::uint64_t ceiling = 1U << 20U)
      : scenario(settings), pair(settings) {
    take_third_port(pair.a);
    rig.take_place_of(pair.a, scenario, egress, ceiling);
  }
  Bytes clear(std::size_t size = 200) const { return pair.a.from_host(pair.a.site_packet(Family::ipv4, size)); }
  // A protected frame of the other side.
  Bytes protected_frame() {
    pair.b.send(gt::clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet()));
    return pair.b.take_wire(gt::black_port).at(0);
  }
  std::size_t through(std::uint32_t port, const Bytes& frame) {
    REQUIRE(rig.receive(port, frame));
    rig.settle();
    return rig.transmitted(1 - port).size();
  }
  std::uint32_t link() { return rig.host.reg(abi::reg::link); }

  gt::Scenario scenario;
  gt::Pair pair;
  InlineRig rig;
};

bool has_marker(const Bytes& frame) {
  return gt::contains(frame, gt::marker);
}

}  // namespace

TEST_CASE("a card of this wiring says so") {
  Placed card;
  CHECK((card.rig.host.reg(abi::reg::features) & abi::feature::inline_ports) != 0);
  CHECK(card.rig.host.reg(abi::reg::classify_count) == entries);
  CHECK(card.link() == abi::link_state::clear_up);
}

TEST_CASE(
    "before a policy is published, after it is closed, and before the card is enabled nothing passes either way") {
  Placed card;
  const Bytes clear = card.clear();
  REQUIRE(card.through(abi::clear_port, clear) == 1);
  REQUIRE(card.through(abi::black_port, card.protected_frame()) == 1);
  // 1. Closed.
  card.rig.host.run(std::vector{card::close_command(abi::egress_port), card::close_command(abi::ingress_port)});
  CHECK(card.through(abi::clear_port, clear) == 0);
  CHECK(card.through(abi::black_port, card.protected_frame()) == 0);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::policy_default) == 1);
  // 2. Published again.
  card.rig.publish(inline_gateway(card.pair.a, card.scenario));
  CHECK(card.through(abi::clear_port, clear) == 1);
  CHECK(card.through(abi::black_port, card.protected_frame()) == 1);
  // 3. Halted: the ports are closed and the clear side's link is down.
  card.rig.host.command(abi::CardCommand::halt);
  CHECK((card.link() & abi::link_state::clear_up) == 0);
  CHECK(card.through(abi::clear_port, clear) == 0);
  // 4. A reset leaves nothing of the session: enabled again, it drops all.
  card.rig.host.reset();
  CHECK((card.link() & abi::link_state::clear_up) == 0);
  card.rig.host.enable();
  CHECK(card.through(abi::clear_port, clear) == 0);
  CHECK(card.through(abi::black_port, card.protected_frame()) == 0);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::ok) == 0);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::policy_default) == 1);
  CHECK(card.rig.counts(abi::egress_port, abi::PortCounter::receive).closed >= 1);
}

TEST_CASE("a policy is published whole or not at all") {
  Placed card;
  const card::InlineGateway gateway = inline_gateway(card.pair.a, card.scenario);
  const auto commands = card::classify_commands(gateway, abi::CardMode::both, entries, abi::egress_port, 2).value();
  // Each word left out in turn: the commit is refused, and the one in force stays.
  for (std::size_t left_out = 0; left_out + 1 < commands.size(); ++left_out) {
    std::vector<abi::Command> some = commands;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(left_out));
    const auto out = card.rig.answers(some);
    REQUIRE(out.size() == 1);
    CHECK(out[0].kind == abi::ResponseKind::refused);
    CHECK(card.through(abi::clear_port, card.clear()) == 1);
  }
  // The block's other words, and indexes that are none.
  std::vector<abi::Command> wrong(1);
  wrong[0].op = abi::CommandOp::load;
  wrong[0].block = abi::egress_port;
  wrong[0].table = abi::Table::classify;
  wrong[0].respond = 1;
  for (const std::uint32_t index : {entries, abi::classify_port + 2, abi::classify_address + 4, 5U}) {
    wrong[0].index = index;
    CHECK(card.rig.answers(wrong).at(0).kind == abi::ResponseKind::refused);
  }
  CHECK(card.rig.answers(commands).at(0).kind == abi::ResponseKind::done);
  CHECK(card.through(abi::clear_port, card.clear()) == 1);
}

TEST_CASE("a policy that changes under load is one or the other for each packet, never a mixture") {
  gt::Scenario scenario;
  Placed card(scenario);
  // Under one policy everything is protected, under the other all of it is discarded. Both name the same SA.
  card::InlineGateway protect = inline_gateway(card.pair.a, scenario);
  card::InlineGateway discard = protect;
  for (Policy& policy : discard.policies) policy.action = PolicyAction::discard;
  std::uint64_t sent = 0;
  std::uint64_t left = 0;
  for (std::uint32_t offset = 0; offset < 40; ++offset) {
    const auto commands =
        card::classify_commands(offset % 2 == 0 ? discard : protect, abi::CardMode::both, entries, abi::egress_port, 2)
            .value();
    for (const abi::Command& command : commands) card.rig.host.put(command);
    card.rig.host.ring();
    for (int i = 0; i < 12; ++i) {
      REQUIRE(card.rig.receive(abi::clear_port, card.clear(40 + offset)));
      ++sent;
      bool idle = false;
      card.rig.card->run(7 + offset, idle);
    }
    card.rig.settle();
    for (const Bytes& frame : card.rig.transmitted(abi::black_port)) {
      ++left;
      CHECK_FALSE(has_marker(frame));
    }
    REQUIRE(card.rig.host.responses().size() == 1);
  }
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::ok) == left);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::policy_discard) == sent - left);
  CHECK(left > 50);
  CHECK(sent - left > 50);
}

TEST_CASE("the host is gone: the card runs to the end of its lease, then drops and takes the clear side's link down") {
  gt::Scenario scenario;
  scenario.macsec = GENERATE(false, true);
  Placed card(scenario, {1, 6});
  for (int i = 0; i < 5; ++i) CHECK(card.through(abi::clear_port, card.clear()) == 1);
  CHECK((card.link() & abi::link_state::clear_up) != 0);
  for (int i = 0; i < 3; ++i) CHECK(card.through(abi::clear_port, card.clear()) == 0);
  CHECK(card.link() == abi::link_state::egress_exhausted);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::lease_exhausted) == 3);
  // Back again: leases come, the link comes up, and numbers go on where the lease says.
  card.rig.host.run(std::vector{card::grant_command(card.pair.a.egress_sa(), abi::Block::esp_encapsulate, {100, 200})});
  if (scenario.macsec)
    card.rig.host.run(
        std::vector{card::grant_command(card.pair.a.secy->transmit_sa(), abi::Block::macsec_protect, {100, 200})});
  CHECK(card.link() == abi::link_state::clear_up);
  REQUIRE(card.rig.receive(abi::clear_port, card.clear()));
  card.rig.settle();
  const std::vector<Bytes> sent = card.rig.transmitted(abi::black_port);
  REQUIRE(sent.size() == 1);
  if (!scenario.macsec) CHECK(wire::load32(sent[0].data() + 14 + 20 + 4) == 100);
}

TEST_CASE("numbers at the accept ceiling and above are dropped, and the clear side's link goes down") {
  Placed card({}, InlineRig::lease, 4);
  for (int i = 1; i <= 3; ++i) CHECK(card.through(abi::black_port, card.protected_frame()) == 1);
  const Bytes fourth = card.protected_frame();
  CHECK(card.through(abi::black_port, fourth) == 0);
  CHECK(card.rig.verdicts(abi::ingress_port, Verdict::lease_exhausted) == 1);
  CHECK(card.link() == abi::link_state::ingress_exhausted);
  card.rig.host.run(
      std::vector{card::raise_ceiling_command(card.pair.a.ingress_sa(), abi::Block::esp_decapsulate, 100)});
  CHECK(card.link() == abi::link_state::clear_up);
  CHECK(card.through(abi::black_port, fourth) == 1);
  CHECK(card.through(abi::black_port, fourth) == 0);  // and once only
  CHECK(card.rig.verdicts(abi::ingress_port, Verdict::replay_duplicate) == 1);
}

TEST_CASE(
    "clear traffic from the circuit that a policy protects is dropped, and an inner packet outside its SA's "
    "selectors") {
  Placed card;
  const Bytes inbound =
      card.pair.a.from_peer(gt::udp_packet(card.pair.a.far_host(), card.pair.a.host(), 4000, 5000, gt::payload()));
  CHECK(card.through(abi::black_port, inbound) == 0);
  CHECK(card.rig.verdicts(abi::ingress_port, Verdict::policy_clear_inbound) == 1);
  // The other side's site has another network too; this side's SA does not take it.
  gt::Scenario wide;
  wide.policies = {gt::policy("wide", PolicyAction::protect, "0.0.0.0/0", "0.0.0.0/0")};
  wide.policies[0].tunnel = "site";
  gt::TestGateway far(2, wide);
  far.send(gt::clear_port, Origin::wire,
           far.from_host(gt::udp_packet(gt::address("10.77.0.1"), card.pair.a.host(), 1, 2, gt::payload())));
  const std::vector<Bytes> odd = far.take_wire(gt::black_port);
  REQUIRE(odd.size() == 1);
  CHECK(card.through(abi::black_port, odd[0]) == 0);
  CHECK(card.rig.verdicts(abi::ingress_port, Verdict::selector_mismatch) == 1);
}

TEST_CASE("a later fragment never matches an entry of ports") {
  gt::Scenario scenario;
  Policy ports = gt::policy("ports", PolicyAction::bypass, "10.1.0.0/16", "10.2.0.0/16", 1);
  ports.selectors[0].protocol = 17;
  ports.selectors[0].remote_port = {5000, 5000};
  scenario.policies = {ports};
  Placed card(scenario);
  const auto frame = [&](std::uint16_t offset) {
    const Bytes body = gt::udp(card.pair.a.host(), card.pair.a.far_host(), 4000, 5000, gt::payload());
    return card.pair.a.from_host(gt::ip(card.pair.a.host(), card.pair.a.far_host(), 17, body,
                                        {.more_fragments = offset != 0, .fragment_offset = offset}));
  };
  CHECK(card.through(abi::clear_port, frame(0)) == 1);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::bypassed) == 1);
  REQUIRE(card.rig.receive(abi::clear_port, frame(10)));
  card.rig.settle();
  const std::vector<Bytes> sent = card.rig.transmitted(abi::black_port);
  REQUIRE(sent.size() == 1);  // protected by the next entry
  CHECK_FALSE(has_marker(sent[0]));
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::ok) == 1);
}

TEST_CASE("a ring that the host does not read never stops the ports: frames for it are dropped whole and counted") {
  Placed card;
  const Bytes to_us = card.pair.a.from_host(
      gt::udp_packet(card.pair.a.host(), card.pair.a.own(gt::clear_port), 1, 2, gt::payload(900)));
  std::uint64_t sent = 0;
  std::uint64_t passed = 0;
  for (int i = 0; i < 300; ++i) {
    REQUIRE(card.rig.receive(abi::clear_port, to_us));
    ++sent;
    REQUIRE(card.rig.receive(abi::clear_port, card.clear()));
    card.rig.settle();
    passed += card.rig.transmitted(abi::black_port).size();
  }
  CHECK(passed == 300);
  CHECK(card.rig.host.reg(abi::reg::exceptions_tail) == InlineRig::ring_entries);
  abi::PortCounts counts = card.rig.counts(abi::egress_port, abi::PortCounter::to_host);
  CHECK(counts.no_room > 0);
  CHECK(counts.frames + counts.no_room == sent);
  // The host comes back: what was kept is whole, in order, and nothing else comes.
  std::uint64_t got = 0;
  for (std::vector<HostFrame> frames = card.rig.exceptions(); !frames.empty(); frames = card.rig.exceptions()) {
    for (const HostFrame& frame : frames) {
      CHECK(frame.frame == to_us);
      CHECK(frame.header.verdict == code(Verdict::punted));
      CHECK(frame.header.port == abi::clear_port);
    }
    got += frames.size();
    card.rig.settle();
  }
  counts = card.rig.counts(abi::egress_port, abi::PortCounter::to_host);
  CHECK(got == counts.frames);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::punted) == sent);
}

TEST_CASE(
    "the rings of frames go on after a halt, begin anew after a reset, and carry nothing from one session to the "
    "next") {
  Placed card;
  const Bytes to_us = card.pair.a.from_host(
      gt::udp_packet(card.pair.a.host(), card.pair.a.own(gt::clear_port), 1, 2, gt::payload(900)));
  const auto exception = [&] {
    REQUIRE(card.rig.receive(abi::clear_port, to_us));
    card.rig.settle();
    return card.rig.exceptions().size();
  };
  const Bytes out = card.pair.a.from_kernel(
      gt::black_port, gt::udp_packet(card.pair.a.own(gt::black_port), card.pair.a.peer(), 500, 500, gt::payload()));
  const auto injected = [&] {
    card.rig.inject(abi::black_port, out);
    card.rig.settle();
    return card.rig.transmitted(abi::black_port).size();
  };
  for (int i = 0; i < 3; ++i) CHECK(exception() == 1);
  for (int i = 0; i < 2; ++i) CHECK(injected() == 1);
  // 1. Halted: frames wait in neither ring; then both go on.
  card.rig.host.command(abi::CardCommand::halt);
  CHECK(exception() == 0);
  CHECK(injected() == 0);
  card.rig.host.command(abi::CardCommand::enable);
  card.rig.settle();
  CHECK(card.rig.transmitted(abi::black_port).size() == 1);  // the entry that waited in the host's ring
  CHECK(exception() == 1);
  CHECK(injected() == 1);
  CHECK(card.rig.host.reg(abi::reg::exceptions_tail) == 4);
  CHECK(card.rig.host.reg(abi::reg::injected_head) == 4);
  // 2. The ring is full and more waits on the card; another session sees none of it.
  for (std::uint32_t i = 0; i < 2 * InlineRig::ring_entries; ++i) {
    REQUIRE(card.rig.receive(abi::clear_port, to_us));
    card.rig.settle();
  }
  card.rig.take_place_of(card.pair.a, card.scenario);
  CHECK(card.rig.host.reg(abi::reg::exceptions_tail) == 0);
  CHECK(card.rig.counts(abi::egress_port, abi::PortCounter::to_host).closed > 0);
  CHECK(exception() == 1);
  CHECK(injected() == 1);
  // 3. Without a ring such frames are dropped whole and counted, and nothing else waits.
  card.rig.host.set(abi::reg::exceptions_size, 0);
  card.rig.settle();
  const std::uint64_t before = card.rig.counts(abi::egress_port, abi::PortCounter::to_host).no_room;
  for (int i = 0; i < 200; ++i) {
    REQUIRE(card.rig.receive(abi::clear_port, to_us));
    card.rig.settle();
  }
  CHECK(card.rig.counts(abi::egress_port, abi::PortCounter::to_host).no_room > before);
  CHECK(card.through(abi::clear_port, card.clear()) == 1);
}

TEST_CASE("injected frames of another session, for no port, or of no length are refused and counted") {
  Placed card;
  const Bytes arp =
      gt::ethernet({{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, card.pair.a.port_mac(gt::black_port), wire::ethertype_arp,
                   gt::arp(1, card.pair.a.port_mac(gt::black_port), card.pair.a.own(gt::black_port), MacAddress{},
                           card.pair.a.peer()));
  card.rig.inject(abi::black_port, arp);
  card.rig.settle();
  CHECK(card.rig.transmitted(abi::black_port).size() == 1);
  card.rig.inject(abi::black_port, arp, CardHost::epoch + 1);
  card.rig.inject(2, arp);
  card.rig.inject(abi::black_port, Bytes(13));
  card.rig.inject(abi::black_port, arp);
  card.rig.settle();
  CHECK(card.rig.transmitted(abi::black_port).size() == 1);
  CHECK(card.rig.host.reg(abi::reg::bad_injected) == 3);
  CHECK(card.rig.host.reg(abi::reg::injected_head) == 5);
  // The way in for the host is no way round the policy: a packet of the site's is foreign there.
  Bytes foreign = card.pair.a.from_kernel(gt::black_port, card.pair.a.site_packet());
  card.rig.inject(abi::black_port, foreign);
  card.rig.settle();
  CHECK(card.rig.transmitted(abi::black_port).empty());
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::foreign_source) == 1);
}

TEST_CASE("a frame that the host protects by a job goes through the same chain, beside the wire's") {
  Placed card;
  firmware_test::JobIn job;
  job.packet = card.clear(300);
  job.l2 = 14;
  job.operation[0] = abi::Operation::esp_encapsulate;
  job.stage[0] = {card.pair.a.egress_sa().index, card.pair.a.egress_sa().generation};
  REQUIRE(card.rig.receive(abi::clear_port, card.clear(301)));
  const auto out = card.rig.host.work(abi::Direction::egress, std::vector(20, job));
  for (const auto& done : out) {
    CHECK(done.completion.verdict == code(Verdict::ok));
    CHECK_FALSE(has_marker(done.packet));
  }
  CHECK(card.rig.transmitted(abi::black_port).size() == 1);
  // Look-aside packets are not the ports' to count.
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::ok) == 1);
}

TEST_CASE("without an SA for its policy, or for its SecY, nothing leaves") {
  gt::Scenario scenario;
  scenario.macsec = GENERATE(false, true);
  Placed card(scenario);
  card::InlineGateway gateway = inline_gateway(card.pair.a, scenario);
  if (scenario.macsec) {
    gateway.ports[abi::black_port].macsec_sa = {};
  } else {
    for (card::InlineTunnel& tunnel : gateway.tunnels) tunnel.egress_sa = {};
  }
  card.rig.publish(gateway);
  CHECK(card.through(abi::clear_port, card.clear()) == 0);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::no_sa) == 1);
  // One of an earlier generation.
  gateway = inline_gateway(card.pair.a, scenario);
  ++gateway.tunnels[0].egress_sa.generation;
  card.rig.publish(gateway);
  CHECK(card.through(abi::clear_port, card.clear()) == 0);
  CHECK(card.rig.verdicts(abi::egress_port, Verdict::stale_sa) == 1);
}

TEST_CASE("at line rate the chains keep up: frames of each size take no more cycles than their beats") {
  gt::Scenario scenario;
  Placed card(scenario);
  for (const std::size_t size : {22U, 200U, 1300U}) {
    const Bytes frame = card.clear(size);
    const int count = 150;
    int taken = 0;
    bool idle = false;
    const std::uint64_t begin = card.rig.card->now();
    std::size_t left = 0;
    for (int i = 0; i < count; ++i) {
      while (!card.rig.receive(abi::clear_port, frame)) card.rig.card->run(1, idle);
      ++taken;
      left += card.rig.transmitted(abi::black_port).size();
    }
    card.rig.settle();
    const std::uint64_t cycles = card.rig.card->now() - begin;
    left += card.rig.transmitted(abi::black_port).size();
    CHECK(taken == count);
    CHECK(left == count);
    const std::size_t beats = (frame.size() + 20 + 16 + 18 + 63) / 64 + 1;  // with what ESP adds
    INFO("size " << frame.size() << ": " << cycles << " cycles for " << count << " frames of " << beats << " beats");
    CHECK(cycles < count * beats + 1500);
  }
}
