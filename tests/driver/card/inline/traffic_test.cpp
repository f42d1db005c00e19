// Frames through a bump-in-the-wire card by XRT and its two ports, against the software gateway: what leaves is what
// the gateway sends, byte for byte; and what must never leave.
#include <catch2/catch.hpp>

#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "tests/driver/card/inline/rig.hpp"

namespace linecrypt::inline_test {
namespace {

const std::vector<std::size_t> sizes = {30, 45, 63, 64, 65, 200, 577, 1000, 1300};

// The frames that the gateway sends for these, which come in by `from`.
std::vector<Bytes> oracle(OnCard& rig, gateway::PortIndex from, const std::vector<Bytes>& frames) {
  for (const Bytes& frame : frames) CHECK(rig.pair.a.send(from, Origin::wire, frame) == Verdict::ok);
  return rig.pair.a.take_wire(1 - from);
}

}  // namespace

TEST_CASE("clear frames leave as the software gateway would send them, and its peer decapsulates them; and back") {
  gt::Scenario scenario;
  SECTION("ESP over IPv4") {}
  SECTION("ESP over IPv6, in a VLAN") {
    scenario.outer = Family::ipv6;
    scenario.vlan.push_back({0x8100, 100});
  }
  SECTION("ESP in UDP") {
    scenario.udp = true;
  }
  SECTION("ESP, then MACsec") {
    scenario.macsec = true;
  }
  OnCard rig(scenario);
  rig.install();
  rig.publish();
  const auto transmitted = [&] {  // since the bitstream was loaded
    const auto counts = rig.card->counts(abi::egress_port, abi::PortCounter::transmit);
    REQUIRE(counts.ok());
    return counts->frames;
  };
  const std::uint64_t before = transmitted();
  Wire site("clear.socket");
  Wire circuit("black.socket");
  std::vector<Bytes> out;
  std::vector<Bytes> in;
  for (const std::size_t size : sizes) {
    out.push_back(rig.clear(size));
    in.push_back(rig.protected_frame(size));
  }
  // 1. Out: a burst, so that packets follow each other closely.
  for (const Bytes& frame : out) site.send(frame);
  const std::vector<Bytes> sent = circuit.take(out.size());
  CHECK(sent == oracle(rig, gt::clear_port, out));
  for (const Bytes& frame : sent) CHECK_FALSE(has_marker(frame));
  const std::vector<Bytes> arrived = rig.released(sent);
  REQUIRE(arrived.size() == out.size());
  for (const Bytes& frame : arrived) CHECK(has_marker(frame));
  // 2. In.
  for (const Bytes& frame : in) circuit.send(frame);
  const std::vector<Bytes> delivered = site.take(in.size());
  CHECK(delivered == oracle(rig, gt::black_port, in));
  for (const Bytes& frame : delivered) CHECK(has_marker(frame));
  // 3. Once only.
  for (const Bytes& frame : in) circuit.send(frame);
  rig.wait_for(abi::ingress_port, scenario.macsec ? Verdict::replay_late : Verdict::replay_duplicate, in.size());
  CHECK(site.take_all().empty());
  CHECK(rig.verdicts(abi::egress_port, Verdict::ok) == out.size());
  CHECK(rig.verdicts(abi::ingress_port, Verdict::ok) == in.size());
  CHECK(transmitted() - before == out.size());
  CHECK(rig.card->link() == abi::link_state::clear_up);
}

TEST_CASE("nothing passes before a policy is published, without an SA, after it was closed, and in a new session") {
  OnCard rig;
  Wire site("clear.socket");
  Wire circuit("black.socket");
  const Bytes clear = rig.clear();
  const Bytes from_peer = rig.protected_frame();
  // 1. Empty tables.
  site.send(clear);
  circuit.send(from_peer);
  rig.wait_for(abi::egress_port, Verdict::policy_default, 1);
  rig.wait_for(abi::ingress_port, Verdict::policy_default, 1);
  // 2. A policy that names an SA which is not there.
  rig.publish();
  site.send(clear);
  rig.wait_for(abi::egress_port, Verdict::stale_sa, 1);
  // 3. As it should be.
  rig.install();
  site.send(clear);
  circuit.take(1);
  circuit.send(from_peer);
  site.take(1);
  // 4. What no policy names.
  site.send(rig.pair.a.from_host(gt::udp_packet(rig.pair.a.host(), gt::address("203.0.113.7"), 1, 2, gt::payload())));
  rig.wait_for(abi::egress_port, Verdict::policy_default, 2);
  circuit.send(
      rig.pair.a.from_peer(gt::udp_packet(rig.pair.a.far_host(), rig.pair.a.host(), 4000, 5000, gt::payload())));
  rig.wait_for(abi::ingress_port, Verdict::policy_clear_inbound, 1);
  // 5. Closed.
  REQUIRE(rig.card->close_policy().ok());
  site.send(clear);
  rig.wait_for(abi::egress_port, Verdict::policy_default, 3);
  // 6. Another session finds none of it.
  rig.publish();
  rig.reopen();
  site.send(clear);
  circuit.send(rig.protected_frame());
  rig.wait_for(abi::egress_port, Verdict::policy_default, 1);
  rig.wait_for(abi::ingress_port, Verdict::policy_default, 1);
  CHECK(circuit.take_all().empty());
  CHECK(site.take_all().empty());
}

TEST_CASE("while the card is halted no frame goes in or out; then it goes on where it was") {
  OnCard rig;
  rig.install();
  rig.publish();
  Wire site("clear.socket");
  Wire circuit("black.socket");
  site.send(rig.clear());
  const Bytes first = circuit.take(1)[0];
  REQUIRE(rig.card->check().ok());
  REQUIRE(rig.card->halt().ok());
  CHECK(rig.card->check().error().message == "in-line card: it is halted");
  CHECK((rig.card->link() & abi::link_state::clear_up) == 0);
  const auto before = model_state();
  site.send(rig.clear());
  circuit.send(rig.protected_frame());
  for (int i = 0; i < 200; ++i) (void)rig.card->link();  // the card's clock has had its turns
  CHECK(circuit.take_all().empty());
  CHECK(site.take_all().empty());
  CHECK(model_state().port_in[0] == before.port_in[0]);
  CHECK(model_state().port_out[1] == before.port_out[1]);
  REQUIRE(rig.card->resume().ok());
  const Bytes second = circuit.take(1)[0];
  site.take(1);
  const std::vector<Bytes> delivered = rig.released({first, second});
  CHECK(delivered.size() == 2);
}

TEST_CASE("the lease ends when no host renews it: the card drops and takes the clear side's link down, until a grant") {
  OnCard rig;
  rig.install({1, 4}, {1, 3});
  rig.publish();
  Wire site("clear.socket");
  Wire circuit("black.socket");
  for (int i = 0; i < 5; ++i) site.send(rig.clear());
  CHECK(rig.released(circuit.take(3)).size() == 3);
  rig.wait_for(abi::egress_port, Verdict::lease_exhausted, 2);
  CHECK(rig.card->link() == abi::link_state::egress_exhausted);
  for (int i = 0; i < 3; ++i) circuit.send(rig.protected_frame());
  site.take(2);
  rig.wait_for(abi::ingress_port, Verdict::lease_exhausted, 1);
  REQUIRE(rig.card->grant(rig.pair.a.egress_sa(), {100, 200}).ok());
  REQUIRE(rig.card->grant(rig.pair.a.ingress_sa(), {1, 1000}).ok());
  CHECK(rig.card->link() == abi::link_state::clear_up);
  site.send(rig.clear());
  CHECK(rig.released(circuit.take(1)).size() == 1);
  circuit.send(rig.protected_frame());
  site.take(1);
  CHECK(circuit.take_all().empty());
}

TEST_CASE("frames for the host come to it, and its own leave by the port that it names, if the policy lets them") {
  OnCard rig;
  rig.install();
  rig.publish();
  Wire site("clear.socket");
  Wire circuit("black.socket");
  const TestGateway& gateway = rig.pair.a;
  // 1. To the gateway's own address.
  const Bytes to_us =
      gateway.from_host(gt::udp_packet(gateway.host(), gateway.own(gt::clear_port), 1, 2, gt::payload(900)));
  site.send(to_us);
  rig.wait_for(abi::egress_port, Verdict::punted, 1);
  auto frames = rig.card->exceptions();
  REQUIRE(frames.ok());
  while (frames->empty()) {
    frames = rig.card->exceptions();  // counted before it is in memory
    REQUIRE(frames.ok());
  }
  REQUIRE(frames->size() == 1);
  CHECK((*frames)[0].bytes == to_us);
  CHECK((*frames)[0].header.port == abi::clear_port);
  CHECK((*frames)[0].header.verdict == static_cast<std::uint8_t>(Verdict::punted));
  // 2. IKE of the gateway's own: exempt. A packet of the site's is not the host's to send.
  const Bytes ike = gateway.from_kernel(
      gt::black_port, gt::udp_packet(gateway.own(gt::black_port), gateway.peer(), 500, 500, gt::payload()));
  REQUIRE(rig.card->inject(abi::black_port, ike).ok());
  CHECK(circuit.take(1)[0] == ike);
  REQUIRE(rig.card->inject(abi::black_port, gateway.from_kernel(gt::black_port, gateway.site_packet())).ok());
  rig.wait_for(abi::egress_port, Verdict::foreign_source, 1);
  CHECK(circuit.take_all().empty());
  CHECK(rig.card->inject(2, ike).error().message.find("allowed: 14 to 9728 bytes, port 0 or 1") != std::string::npos);
}

TEST_CASE("SAs are installed only where the card does them, at a place and under a name that is free, and removed") {
  OnCard rig;
  rig.install();
  rig.publish();
  const auto refusal = [&](SaId id, const Sa& sa, Lease numbers) {
    const auto done = rig.card->install(id, sa, numbers);
    return done ? std::string("installed") : done.error().message;
  };
  EspSa sa = rig.pair.a.esp_sa(Direction::ingress);
  CHECK(refusal(rig.pair.a.ingress_sa(), sa.duplicate(), OnCard::numbers).find("is installed already") !=
        std::string::npos);
  CHECK(refusal({70, 1}, sa.duplicate(), OnCard::numbers).find("another one has its SPI") != std::string::npos);
  CHECK(refusal({100'000, 1}, sa.duplicate(), OnCard::numbers).find("allowed: index 0 to 2047") != std::string::npos);
  sa.spi += 1;
  CHECK(refusal({70, 1}, sa.duplicate(), {5, 5}).find("numbers 5 to 5, allowed: a lease") != std::string::npos);
  sa.replay_window = 100;
  CHECK(refusal({70, 1}, sa.duplicate(), OnCard::numbers).find("replay_window") != std::string::npos);

  Wire site("clear.socket");
  Wire circuit("black.socket");
  REQUIRE(rig.card->remove(rig.pair.a.egress_sa()).ok());
  REQUIRE(rig.card->remove(rig.pair.a.ingress_sa()).ok());
  CHECK_FALSE(rig.card->remove(rig.pair.a.ingress_sa()).ok());
  // What its replay window has left must not count for another: a generation comes once, and so does one below it.
  const SaId gone = rig.pair.a.ingress_sa();
  sa = rig.pair.a.esp_sa(Direction::ingress);
  for (const std::uint32_t generation : {gone.generation, gone.generation - 1})
    CHECK(refusal({gone.index, generation}, sa.duplicate(), OnCard::numbers).find("allowed: ") != std::string::npos);
  CHECK(refusal(gone, sa.duplicate(), OnCard::numbers).find("allowed: a generation above") != std::string::npos);
  CHECK_FALSE(rig.card->grant(rig.pair.a.egress_sa(), {500, 600}).ok());
  site.send(rig.clear());
  circuit.send(rig.protected_frame());
  rig.wait_for(abi::egress_port, Verdict::stale_sa, 1);
  rig.wait_for(abi::ingress_port, Verdict::esp_unknown_spi, 1);
  CHECK(circuit.take_all().empty());
  CHECK(site.take_all().empty());
  // The next one has its place and its name.
  CHECK(refusal({gone.index, gone.generation + 1}, sa.duplicate(), OnCard::numbers) == "installed");
  // The same ones again once the card was opened anew, under the next lease.
  rig.reopen();
  rig.install({1000, 2000}, {1, 1000});
  rig.publish();
  site.send(rig.clear());
  CHECK(rig.released(circuit.take(1)).size() == 1);
}

TEST_CASE("each wiring's bitstream is refused by the driver of the other, by name") {
  const auto engine = card::make_card_engine(options());
  REQUIRE_FALSE(engine.ok());
  CHECK(engine.error().message.find("bump-in-the-wire") != std::string::npos);
  CHECK(engine.error().message.find("allowed: look-aside") != std::string::npos);
  const auto inline_card = card::InlineCard::open(options(0, "both"));
  REQUIRE_FALSE(inline_card.ok());
  CHECK(inline_card.error().message == "in-line card: its bitstream's wiring is look-aside, allowed: bump-in-the-wire");
}

}  // namespace linecrypt::inline_test
