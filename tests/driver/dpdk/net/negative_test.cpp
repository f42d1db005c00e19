// What must never be delivered as good, and what must never be made. Each of these tests is shown to see its fault: the
// driver is run over an engine that has it (mutants.py), and the test named there must fail.
#include <catch2/catch.hpp>
#include <set>

#include "tests/driver/dpdk/net/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

Esp fresh_esp() {
  static std::uint32_t spi = 0x2000;
  Esp esp;
  esp.key = fresh_key();
  esp.spi = ++spi;
  return esp;
}

Bytes clear_packet(std::uint32_t seed = 1, std::size_t length = 200) {
  const Ip ip{};
  return packet(ip, udp_segment(ip, 1000, 2000, noise(length, seed)));
}

std::uint32_t high_of(std::uint64_t number) {
  return static_cast<std::uint32_t>(number >> 32U);
}

// A port over a wire, and the rule.
struct Line {
  Wire wire;
  Port port{"lower=" + wire.name()};
  EspRule rule{port};

  Received in(const Bytes& packet, std::uint32_t segments = 0) {
    wire.put({frame_of(packet)}, 0, segments);
    return port.receive(1).front();
  }
  // None: it was dropped.
  std::vector<Bytes> out(const Session& session, const Bytes& packet, std::uint32_t segments = 0) {
    const std::uint64_t before = port.stats().opackets + port.stats().oerrors;
    port.send({session.mbuf_of(packet, segments)});
    REQUIRE(wait_until([&] { return port.stats().opackets + port.stats().oerrors > before; }));
    std::vector<Bytes> packets;
    for (const Bytes& frame : wire.sent()) packets.emplace_back(frame.begin() + 14, frame.end());
    return packets;
  }
};

// Delivered, flagged, by whose session; nothing of the clear text is anywhere in the frame's memory.
void check_refused(const Received& one, const Session& session, const Bytes& clear) {
  CHECK(one.secured());
  CHECK(one.failed());
  CHECK(one.userdata == session.userdata());
  CHECK_FALSE(shows(one.memory, clear));
}

}  // namespace

TEST_CASE("A packet with a bit flipped anywhere is refused, shows nothing, and the good one behind it passes") {
  Line line;
  Esp esp = fresh_esp();
  esp.esn = GENERATE(false, true);
  const std::uint32_t segments = GENERATE(0U, 60U);
  const Session in(line.port, esp, Way::in);
  REQUIRE_FALSE(in.none());
  const Bytes clear = clear_packet();
  const Bytes good = seal(esp, clear, 1);
  std::uint64_t refused = 0;
  // Behind the SPI: with another one it is nobody's packet.
  for (std::size_t at = 24; at < good.size(); at += at < 40 || at + 20 > good.size() ? 1 : 9) {
    Bytes forged = good;
    forged[at] = static_cast<std::uint8_t>(forged[at] ^ 1U << at % 8);
    INFO("byte " << at);
    check_refused(line.in(forged, segments), in, clear);
    ++refused;
  }
  CHECK(in.stats().ierrors == refused);
  CHECK(in.stats().ipackets == 0);
  // Neither the window nor the statistics have moved.
  const Received fine = line.in(good, segments);
  CHECK(fine.good());
  CHECK(fine.userdata == in.userdata());
  CHECK(fine.port == line.port.id());
  CHECK(fine.frame == frame_of(clear));
  CHECK(in.stats().ipackets == 1);
  CHECK(frames_out() == 0);
}

TEST_CASE("A packet is accepted once, whatever the window, and late ones are not") {
  Line line;
  const bool esn = GENERATE(false, true);
  for (const std::uint32_t window : {64U, 1024U, 4096U}) {
    INFO("window " << window << ", esn " << esn);
    Esp esp = fresh_esp();
    esp.esn = esn;
    esp.window = window;
    const Session in(line.port, esp, Way::in);
    REQUIRE_FALSE(in.none());
    const Bytes clear = clear_packet();
    const auto ok = [&](std::uint64_t number) {
      const Received one = line.in(seal(esp, clear, number));
      if (!one.good()) check_refused(one, in, clear);
      return one.good();
    };
    const std::uint64_t top = 3 * window;
    CHECK(ok(1));
    CHECK_FALSE(ok(1));
    CHECK(ok(top));
    CHECK_FALSE(ok(top));
    CHECK_FALSE(ok(top - window));
    CHECK(ok(top - window + 1));
    CHECK_FALSE(ok(top - window + 1));
    CHECK(ok(top + 1));
    CHECK_FALSE(ok(top + 1 - window));
    CHECK_FALSE(ok(0));
    CHECK(in.stats().ipackets == 4);
    CHECK(in.stats().ierrors == 6);
    // Twice in one burst.
    line.wire.put(frames_of({seal(esp, clear, top + 2), seal(esp, clear, top + 2)}));
    const auto twice = line.port.receive(2);
    CHECK(twice[0].good());
    check_refused(twice[1], in, clear);
  }
}

TEST_CASE("A packet between other tunnel ends is refused where the session compares them") {
  Line line;
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  Esp esp = fresh_esp();
  esp.outer = family;
  const Bytes clear = clear_packet();
  Esp other_source = esp;
  other_source.source = "192.0.2.9";
  other_source.source6 = "2001:db8:f::9";
  Esp other_destination = esp;
  other_destination.destination = "192.0.2.9";
  other_destination.destination6 = "2001:db8:f::9";
  SECTION("both") {
    const Session in(line.port, esp, Way::in);
    check_refused(line.in(seal(other_source, clear, 1)), in, clear);
    check_refused(line.in(seal(other_destination, clear, 2)), in, clear);
    CHECK(line.in(seal(esp, clear, 3)).good());
    CHECK(in.stats().ierrors == 2);
  }
  SECTION("the destination") {
    const Session in(line.port, esp, Way::in, [](rte_security_session_conf& conf) {
      conf.ipsec.options.tunnel_hdr_verify = RTE_SECURITY_IPSEC_TUNNEL_VERIFY_DST_ADDR;
    });
    CHECK(line.in(seal(other_source, clear, 1)).good());
    check_refused(line.in(seal(other_destination, clear, 2)), in, clear);
    CHECK(line.in(seal(esp, clear, 3)).good());
    CHECK(in.stats().ierrors == 1);
  }
}

TEST_CASE("No IV comes twice under a key: not in a session, not in the next one, not in two") {
  Line line;
  // The numbers of a key are the process's, whatever engine uses them.
  const Port other("lower=loopback", 1, 1, "engine=software");
  Esp esp = fresh_esp();
  esp.esn = GENERATE(false, true);
  std::set<std::uint64_t> ivs;
  std::size_t made = 0;
  for (const std::size_t count : {200U, 100U}) {
    const Session out(line.port, esp, Way::out);
    REQUIRE_FALSE(out.none());
    CHECK(Session(line.port, esp, Way::out).none());
    CHECK(Session(other, esp, Way::out).none());
    CHECK(Session(line.port, esp, Way::in).none());
    for (std::size_t i = 0; i < count; i += 50) {
      std::vector<rte_mbuf*> burst;
      for (int k = 0; k < 50; ++k) burst.push_back(out.mbuf_of(clear_packet(1, 40)));
      line.port.send(burst);
      std::vector<Bytes> sent;
      REQUIRE(wait_until([&] {
        for (Bytes& frame : line.wire.sent()) sent.push_back(std::move(frame));
        return sent.size() == 50;
      }));
      for (const Bytes& frame : sent) {
        const auto opened = open(esp, {frame.begin() + 14, frame.end()});
        REQUIRE(opened);
        ivs.insert(opened->iv);
        ++made;
      }
    }
  }
  CHECK(ivs.size() == made);
  CHECK_THAT(said(), Catch::Contains("encrypts with this key and salt"));
  CHECK(frames_out() == 0);
}

TEST_CASE("Extended numbers go on over 2^32 in the ICV, out and in") {
  Line line;
  Esp esp = fresh_esp();
  esp.esn = true;
  Esp in_esp = fresh_esp();
  in_esp.esn = true;
  const std::uint64_t start = (std::uint64_t{1} << 32U) - 3;
  const auto from_there = [&](rte_security_session_conf& conf) { conf.ipsec.esn.value = start; };
  const Session out(line.port, esp, Way::out, from_there);
  const Session in(line.port, in_esp, Way::in, from_there);
  REQUIRE_FALSE(out.none());
  REQUIRE_FALSE(in.none());
  const Bytes clear = clear_packet();
  for (std::uint64_t number = start; number < start + 8; ++number) {
    INFO("number " << number);
    const auto made = line.out(out, clear);
    REQUIRE(made.size() == 1);
    const auto opened = open(esp, made[0], high_of(number));
    REQUIRE(opened);
    CHECK(opened->sequence == static_cast<std::uint32_t>(number));
    // The high half is in the ICV and nowhere else.
    check_refused(line.in(seal(in_esp, clear, number + (std::uint64_t{1} << 32U))), in, clear);
    const Received back = line.in(seal(in_esp, clear, number));
    CHECK(back.good());
    CHECK(back.packet() == clear);
  }
}

TEST_CASE("32-bit numbers end, and the application is told; they do not begin again") {
  Line line;
  const Esp esp = fresh_esp();
  const Session out(line.port, esp, Way::out,
                    [](rte_security_session_conf& conf) { conf.ipsec.esn.value = 0xfffffffe; });
  REQUIRE_FALSE(out.none());
  const Bytes clear = clear_packet();
  CHECK(line.out(out, clear).size() == 1);
  CHECK(line.out(out, clear).size() == 1);
  for (int i = 0; i < 3; ++i) CHECK(line.out(out, clear).empty());
  CHECK(out.stats().opackets == 2);
  CHECK(out.stats().oerrors == 3);
  CHECK(line.port.stats().oerrors == 3);
}

TEST_CASE("session_update moves an egress session's numbers forward, never back") {
  Line line;
  const Esp esp = fresh_esp();
  Session out(line.port, esp, Way::out);
  REQUIRE(line.out(out, clear_packet()).size() == 1);
  CHECK(out.go_to(0) < 0);
  CHECK(out.go_to(1) < 0);
  REQUIRE(out.go_to(50'000'000) == 0);
  CHECK(open(esp, line.out(out, clear_packet()).at(0))->sequence == 50'000'000);
  CHECK(out.go_to(49'999'999) < 0);
}

TEST_CASE("Limits of a session are told of once, by its own word; past the hard one nothing leaves or comes in") {
  Line line;
  const bool bytes = GENERATE(false, true);
  const Bytes clear = clear_packet();
  const auto limits = [&](rte_security_session_conf& conf) {
    auto& life = conf.ipsec.life;
    (bytes ? life.bytes_soft_limit : life.packets_soft_limit) = bytes ? 3 * clear.size() : 3;
    (bytes ? life.bytes_hard_limit : life.packets_hard_limit) = bytes ? 5 * clear.size() : 5;
  };
  const Esp out_esp = fresh_esp();
  const Esp in_esp = fresh_esp();
  const Session out(line.port, out_esp, Way::out, limits);
  const Session in(line.port, in_esp, Way::in, limits);
  for (std::uint32_t i = 1; i <= 7; ++i) {
    INFO("packet " << i);
    CHECK(line.out(out, clear).size() == (i <= 5 ? 1 : 0));
    const Received back = line.in(seal(in_esp, clear, i));
    CHECK(back.good() == (i <= 5));
    if (i > 5) check_refused(back, in, clear);
  }
  CHECK(out.stats().opackets == 5);
  CHECK(out.stats().oerrors == 2);
  CHECK(line.port.xstat("tx_hard_expired") == 2);
  CHECK(line.port.xstat("rx_hard_expired") == 2);
  const std::lock_guard lock(line.port.events().mutex);
  const auto count = [&](const Session& session, rte_eth_event_ipsec_subtype subtype) {
    int found = 0;
    for (const auto& event : line.port.events().ipsec)
      found += event.metadata == session.userdata() && event.subtype == subtype ? 1 : 0;
    return found;
  };
  const auto soft = bytes ? RTE_ETH_EVENT_IPSEC_SA_BYTE_EXPIRY : RTE_ETH_EVENT_IPSEC_SA_PKT_EXPIRY;
  const auto hard = bytes ? RTE_ETH_EVENT_IPSEC_SA_BYTE_HARD_EXPIRY : RTE_ETH_EVENT_IPSEC_SA_PKT_HARD_EXPIRY;
  for (const Session* session : {&out, &in}) {
    CHECK(count(*session, soft) == 1);
    CHECK(count(*session, hard) == 1);
  }
  CHECK(line.port.events().ipsec.size() == 4);
}

TEST_CASE("A packet cut at any length is never good, and no length is a harm") {
  Line line;
  const Esp esp = fresh_esp();
  const Session in(line.port, esp, Way::in);
  const Bytes clear = clear_packet();
  const Bytes good = seal(esp, clear, 1);
  std::vector<Bytes> frames;
  for (std::size_t length = 0; length < good.size(); length += length < 60 ? 1 : 17) {
    Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    frames.push_back(ethernet(0x0800, cut));
    if (length >= 20) {
      put16(cut, 2, static_cast<std::uint16_t>(length));
      fix_ipv4_checksum(cut);
      frames.push_back(ethernet(0x0800, cut));
    }
  }
  for (std::size_t length = 0; length < 14; ++length) frames.push_back(Bytes(length, 0x81));
  line.wire.put(frames);
  for (const Received& one : line.port.receive(frames.size())) {
    CHECK_FALSE(one.good());
    CHECK_FALSE(shows(one.memory, clear));
  }
  CHECK(line.in(good).good());
}

TEST_CASE("An authentic packet with nonsense inside is refused, and its clear text is gone") {
  Line line;
  const Esp esp = fresh_esp();
  const Session in(line.port, esp, Way::in);
  const Bytes secret = noise(200, 99);
  const std::uint32_t segments = GENERATE(0U, 64U);
  check_refused(line.in(seal(esp, secret, 1, 4), segments), in, secret);
  check_refused(line.in(seal(esp, clear_packet(4), 2, 41), segments), in, clear_packet(4));
  CHECK(in.stats().ierrors == 2);
  // A dummy packet is for nobody (RFC 4303 2.6).
  line.wire.put(frames_of({seal(esp, secret, 3, 59), seal(esp, clear_packet(5), 4)}));
  CHECK(line.port.receive(1).at(0).packet() == clear_packet(5));
  CHECK(line.port.xstat("rx_dummy") == 1);
  CHECK(frames_out() == 0);
}
