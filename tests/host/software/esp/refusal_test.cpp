// Each ESP refusal, one by one: the verdict, the counter, and that nothing of the SA moved or leaked.
#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

const Ip ipv4_host{};
const Ip ipv6_host{.source = "2001:db8:1::7", .destination = "2001:db8:2::9"};

Bytes hello(Family family = Family::ipv4) {
  const Ip& ip = family == Family::ipv4 ? ipv4_host : ipv6_host;
  return packet(ip, udp_segment(ip, 4000, 5000, noise(60)));
}

// An ingress SA and what an honest peer would send it.
struct Peer {
  explicit Peer(const EngineChoice& choice, const Shape& shape = {})
      : Peer(choice, make_sa(shape, Direction::ingress)) {}
  Peer(const EngineChoice& choice, EspSa with) : sa(std::move(with)), bench(choice), id(bench.install(sa)) {}
  Bytes good(std::uint64_t number) { return in_outer(sa, reference_seal(sa, number, with_trailer(hello(), 4))); }
  // Authentic, whatever the text is.
  Bytes authentic(std::uint64_t number, const Bytes& text) { return in_outer(sa, reference_seal(sa, number, text)); }
  // Refused before decryption: the verdict, and nothing of the SA or the packet has changed.
  void refuses(const Bytes& bytes, Verdict verdict) {
    const std::uint64_t top = bench.slot(id).window.top();
    const Outcome outcome = bench.decapsulate(id, bytes);
    CHECK(outcome.verdict == verdict);
    CHECK(outcome.memory == bytes);
    CHECK(bench.slot(id).window.top() == top);
    CHECK(bench.slot(id).counters.packets.get() == accepted);
  }
  // Refused after decryption began: the verdict, and zeros from the text to the end.
  void refuses_zeroed(const Bytes& bytes, Verdict verdict) {
    const Outcome outcome = bench.decapsulate(id, bytes);
    CHECK(outcome.verdict == verdict);
    CHECK(zero_from(outcome.memory, text_offset(sa)));
    CHECK(bench.slot(id).counters.packets.get() == accepted);
  }
  void accepts(const Bytes& bytes) {
    CHECK(bench.decapsulate(id, bytes).verdict == Verdict::ok);
    ++accepted;
    CHECK(bench.slot(id).counters.packets.get() == accepted);
  }

  EspSa sa;
  EspBench bench;
  SaId id;
  std::uint64_t accepted = 0;
};

}  // namespace

TEST_CASE("ingress refuses frames that are not whole IP packets", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice);
  const Bytes good = peer.good(1);
  peer.refuses({}, Verdict::malformed_ip);
  peer.refuses(Bytes(good.begin(), good.end() - 1), Verdict::malformed_ip);
  Bytes bad = good;
  bad[0] = 0x55;
  peer.refuses(bad, Verdict::malformed_ip);
  bad = good;
  bad[10] ^= 1;  // header checksum
  peer.refuses(bad, Verdict::malformed_ip);
  bad = good;
  bad[0] = 0x44;  // header length 16
  peer.refuses(bad, Verdict::malformed_ip);
  peer.accepts(good);
}

TEST_CASE("a frame shorter than its l2 header is refused both ways", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines(true)));
  EspBench bench(choice);
  const SaId in = bench.install(make_sa({}, Direction::ingress));
  const SaId out = bench.install(make_sa({}, Direction::egress));
  CHECK(bench.decapsulate(in, noise(13), 14).verdict == Verdict::malformed_ethernet);
  CHECK(bench.encapsulate(out, noise(13), 14).verdict == Verdict::malformed_ethernet);
  CHECK(bench.encapsulate(out, noise(13), 6).verdict == Verdict::malformed_ethernet);
  CHECK(bench.decapsulate(in, noise(14), 14).verdict == Verdict::malformed_ip);
}

TEST_CASE("ingress refuses fragments of ESP packets, and takes an IPv6 atomic fragment", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice);
  for (const std::uint16_t field : std::vector<std::uint16_t>{0x2000, 0x0001, 0x2001, 0x1fff}) {
    Bytes bytes = peer.good(1);
    put16(bytes, 6, field);
    fix_ipv4_checksum(bytes);
    peer.refuses(bytes, Verdict::esp_fragment);
  }
  Peer six(choice, Shape{.outer = Family::ipv6});
  const Bytes esp = reference_seal(six.sa, 1, with_trailer(hello(), 4));
  Ip ip{.source = "2001:db8::1", .destination = "2001:db8::2", .protocol = 50, .first_extension = 44};
  for (const char* field : {"0001", "0008", "fff9"}) {
    ip.options = from_hex(std::string("3200") + field + "00000007");
    six.refuses(packet(ip, esp), Verdict::esp_fragment);
  }
  ip.options = from_hex("3200000000000007");
  six.accepts(packet(ip, esp));
}

TEST_CASE("ingress refuses ESP packets that are too short", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  for (const bool with_udp : {false, true}) {
    Peer peer(choice, Shape{.udp = with_udp});
    Bytes esp(33);
    put32(esp, 0, peer.sa.spi);
    put32(esp, 4, 1);
    for (std::size_t length = with_udp ? 4 : 0; length <= 33; ++length)
      peer.refuses(in_outer(peer.sa, Bytes(esp.begin(), esp.begin() + static_cast<std::ptrdiff_t>(length))),
                   Verdict::esp_short);
    esp.push_back(0);  // two bytes of text: long enough, and wrong
    peer.refuses_zeroed(in_outer(peer.sa, esp), Verdict::esp_bad_icv);
  }
}

TEST_CASE("ingress refuses another SPI", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice);
  Bytes bytes = peer.good(1);
  bytes[20 + 3] ^= 1;
  peer.refuses(bytes, Verdict::esp_unknown_spi);
}

TEST_CASE("ingress refuses outer addresses that are not the SA's, unless told not to look", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  for (const Family outer : {Family::ipv4, Family::ipv6}) {
    for (const bool source : {true, false}) {
      Peer peer(choice, Shape{.outer = outer});
      EspSa elsewhere = peer.sa.duplicate();
      (source ? elsewhere.source : elsewhere.destination) =
          address(outer == Family::ipv4 ? "192.0.2.77" : "2001:db8::77");
      const Bytes bytes = in_outer(elsewhere, reference_seal(peer.sa, 1, with_trailer(hello(), 4)));
      peer.refuses(bytes, Verdict::esp_outer_mismatch);
      CHECK(peer.bench.slot(peer.id).counters.mismatch.get() == 1);
      EspSa open = peer.sa.duplicate();
      open.verify_outer = false;
      Peer blind(choice, std::move(open));
      blind.accepts(bytes);
    }
  }
  // The other family altogether.
  Peer peer(choice);
  EspSa other = make_sa({.outer = Family::ipv6}, Direction::ingress);
  peer.refuses(in_outer(other, reference_seal(peer.sa, 1, with_trailer(hello(), 4))), Verdict::esp_outer_mismatch);
}

TEST_CASE("ingress takes UDP encapsulation only where the SA has it, and the reverse", "[esp][refusal][udp]") {
  const auto choice = GENERATE(from_range(engines()));
  const EspSa plain = make_sa({}, Direction::ingress);
  const EspSa in_udp = make_sa({.udp = true}, Direction::ingress);
  const Bytes esp = reference_seal(plain, 1, with_trailer(hello(), 4));
  Peer(choice, Shape{}).refuses(in_outer(in_udp, esp), Verdict::esp_outer_mismatch);
  Peer(choice, Shape{.udp = true}).refuses(in_outer(plain, esp), Verdict::esp_outer_mismatch);
}

TEST_CASE("ingress compares UDP ports when asked to", "[esp][refusal][udp]") {
  const auto choice = GENERATE(from_range(engines()));
  for (const bool verify : {true, false}) {
    for (const bool source : {true, false}) {
      EspSa sa = make_sa({.udp = true}, Direction::ingress);
      sa.udp->verify_ports = verify;
      Peer peer(choice, std::move(sa));
      EspSa moved = peer.sa.duplicate();
      (source ? moved.udp->source_port : moved.udp->destination_port) = 61234;
      const Bytes bytes = in_outer(moved, reference_seal(peer.sa, 1, with_trailer(hello(), 4)));
      if (verify)
        peer.refuses(bytes, Verdict::esp_outer_mismatch);
      else
        peer.accepts(bytes);
    }
  }
}

TEST_CASE("ingress refuses malformed UDP encapsulation, IKE and keepalives", "[esp][refusal][udp]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice, Shape{.udp = true});
  const Bytes good = peer.good(1);
  for (const int change : {-1, 1, 4}) {  // the UDP length
    Bytes bytes = good;
    put16(bytes, 24, static_cast<std::uint16_t>(get16(bytes, 24) + change));
    peer.refuses(bytes, Verdict::esp_bad_udp);
  }
  peer.refuses(in_outer(peer.sa, from_hex("ff")), Verdict::keepalive);
  peer.refuses(in_outer(peer.sa, from_hex("fe")), Verdict::esp_bad_udp);
  peer.refuses(in_outer(peer.sa, {}), Verdict::esp_bad_udp);
  peer.refuses(in_outer(peer.sa, from_hex("00000000") + noise(40)), Verdict::esp_bad_udp);
  Ip cut{.source = "192.0.2.1", .destination = "192.0.2.2"};
  peer.refuses(packet(cut, noise(7)), Verdict::esp_bad_udp);
  peer.accepts(good);
}

TEST_CASE("a UDP checksum is optional both ways, and over IPv6 a wrong one is refused", "[esp][refusal][udp]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer six(choice, Shape{.outer = Family::ipv6, .udp = true});
  six.accepts(six.good(1));
  Bytes none = six.good(2);
  put16(none, 46, 0);
  six.accepts(none);
  Bytes wrong = six.good(3);
  wrong[47] ^= 1;
  six.refuses(wrong, Verdict::esp_bad_udp);
  // Over IPv4 any is taken: the ICV says more (RFC 3948 2.1).
  Peer four(choice, Shape{.udp = true});
  Bytes some = four.good(1);
  put16(some, 26, 0x1234);
  four.accepts(some);
}

TEST_CASE("ingress refuses number zero and leaves the window alone after a bad ICV", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  for (const bool esn : {true, false}) {
    Peer peer(choice, Shape{.esn = esn});
    peer.refuses(peer.good(0), Verdict::number_zero);
    Bytes bytes = peer.good(500);
    bytes.back() ^= 1;
    peer.refuses_zeroed(bytes, Verdict::esp_bad_icv);
    CHECK(peer.bench.slot(peer.id).window.top() == 0);
    CHECK(peer.bench.slot(peer.id).counters.bad_icv.get() == 1);
    peer.accepts(peer.good(1));
    peer.accepts(peer.good(500));
  }
}

TEST_CASE("one bit changed at any byte of a packet is refused and leaves no payload", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines(true)));
  for (const Shape& shape :
       {Shape{}, Shape{.outer = Family::ipv6, .udp = true}, Shape{.mode = EspMode::transport},
        Shape{.algorithm = EspAlgorithm::aes_gmac_256}, Shape{.algorithm = EspAlgorithm::aes_gmac_128, .esn = false}}) {
    INFO(describe(shape));
    Peer peer(choice, shape);
    const bool tunnel = shape.mode == EspMode::tunnel;
    const Bytes clear = hello();
    const Bytes text = tunnel ? with_trailer(clear, 4) : with_trailer(Bytes(clear.begin() + 20, clear.end()), 17);
    const Bytes good = peer.authentic(7, text);
    const std::size_t esp = text_offset(peer.sa) - 16;
    for (std::size_t at = 0; at < good.size(); ++at) {
      Bytes bytes = good;
      bytes[at] ^= static_cast<std::uint8_t>(1U << at % 8);
      // In an IPv4 header it is the checksum that fails; mutable fields of IPv6 (class, label, hop limit) are not
      // authenticated in tunnel mode (RFC 4303 3.4.4), so only what is refused there is counted on.
      const bool unauthenticated_ipv6 = shape.outer == Family::ipv6 && (at < 4 || at == 7);
      if (unauthenticated_ipv6) continue;
      const Outcome outcome = peer.bench.decapsulate(peer.id, bytes);
      INFO("byte " << at);
      CHECK(is_drop(outcome.verdict));
      if (at >= esp + 8) {
        // IV, text or ICV: decryption was tried. Over IPv6 the UDP checksum is the first to see it.
        const bool by_checksum = shape.udp && shape.outer == Family::ipv6;
        CHECK(outcome.verdict == (by_checksum ? Verdict::esp_bad_udp : Verdict::esp_bad_icv));
        if (!by_checksum) CHECK(zero_from(outcome.memory, text_offset(peer.sa)));
      }
    }
    CHECK(peer.bench.slot(peer.id).window.top() == 0);
    CHECK(peer.bench.decapsulate(peer.id, good).verdict == Verdict::ok);
  }
}

TEST_CASE("authentic packets with bad padding are refused and zeroed", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice);
  const Bytes clear = hello();  // 88 bytes: two bytes of padding
  std::uint64_t number = 0;
  const auto with = [&](const char* tail) { return peer.authentic(++number, clear + from_hex(tail)); };
  peer.accepts(with("01020204"));
  peer.accepts(with("010104"));  // one byte, 1; alignment is the sender's matter
  peer.refuses_zeroed(with("02010204"), Verdict::esp_bad_padding);
  peer.refuses_zeroed(with("00000204"), Verdict::esp_bad_padding);
  peer.refuses_zeroed(with("01030204"), Verdict::esp_bad_padding);
  peer.refuses_zeroed(with("0102ff04"), Verdict::esp_bad_padding);  // longer than the text
  peer.refuses_zeroed(with("01025b04"), Verdict::esp_bad_padding);  // by one byte: 91 of 90
  peer.refuses_zeroed(peer.authentic(++number, from_hex("0104")), Verdict::esp_bad_padding);
  CHECK(peer.bench.slot(peer.id).counters.malformed.get() == 6);
  // 255 bytes of padding are right when they count.
  Bytes text = clear;
  for (int i = 1; i <= 255; ++i) text.push_back(static_cast<std::uint8_t>(i));
  peer.accepts(peer.authentic(++number, text + from_hex("ff04")));
}

TEST_CASE("authentic packets whose next header does not fit the mode are refused and zeroed", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer tunnel(choice);
  std::uint64_t number = 0;
  for (const std::uint8_t next : Bytes{0, 1, 6, 17, 50, 58, 255})
    tunnel.refuses_zeroed(tunnel.authentic(++number, with_trailer(hello(), next)), Verdict::esp_bad_next_header);
  Peer transport(choice, Shape{.mode = EspMode::transport});
  transport.refuses_zeroed(transport.authentic(1, with_trailer(noise(20), 0)), Verdict::esp_bad_next_header);
}

TEST_CASE("a fragment or a broken chain of IPv6 headers inside transport mode is refused and zeroed",
          "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice, Shape{.mode = EspMode::transport, .outer = Family::ipv6, .inner = Family::ipv6});
  std::uint64_t number = 0;
  const auto with = [&](const char* extension, std::uint8_t next) {
    return peer.authentic(++number, with_trailer(from_hex(extension) + noise(24), next));
  };
  peer.refuses_zeroed(with("0600000100001234", 44), Verdict::esp_bad_inner);
  peer.refuses_zeroed(with("0600000800001234", 44), Verdict::esp_bad_inner);
  peer.refuses_zeroed(with("06ff010400000000", 60), Verdict::esp_bad_inner);
  peer.accepts(with("0600010400000000", 60));
}

TEST_CASE("authentic packets with a malformed inner packet are refused and zeroed", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice);
  std::uint64_t number = 0;
  const auto with = [&](const Bytes& inner, std::uint8_t next = 4) {
    return peer.authentic(++number, with_trailer(inner, next));
  };
  peer.refuses_zeroed(with({}), Verdict::esp_bad_inner);
  peer.refuses_zeroed(with(hello(), 41), Verdict::esp_bad_inner);
  peer.refuses_zeroed(with(hello(Family::ipv6), 4), Verdict::esp_bad_inner);
  const Bytes clear = hello();
  peer.refuses_zeroed(with(Bytes(clear.begin(), clear.begin() + 19)), Verdict::esp_bad_inner);
  peer.refuses_zeroed(with(Bytes(clear.begin(), clear.end() - 1)), Verdict::esp_bad_inner);  // total length too long
  Bytes bad = clear;
  bad[10] ^= 1;
  peer.refuses_zeroed(with(bad), Verdict::esp_bad_inner);
  bad = clear;
  put16(bad, 2, 19);  // shorter than its header
  fix_ipv4_checksum(bad);
  peer.refuses_zeroed(with(bad), Verdict::esp_bad_inner);
  const Bytes six = hello(Family::ipv6);
  peer.refuses_zeroed(with(Bytes(six.begin(), six.end() - 1), 41), Verdict::esp_bad_inner);
  // Headers cut short that say that they are whole, where their checksum is not asked for.
  EspSa sa = make_sa({}, Direction::ingress);
  sa.verify_inner_checksum = false;
  Peer trusting(choice, std::move(sa));
  Bytes header(clear.begin(), clear.begin() + 20);
  put16(header, 2, 20);
  for (std::ptrdiff_t length = 0; length < 20; ++length) {
    const Bytes text = with_trailer(Bytes(header.begin(), header.begin() + length), 4);
    trusting.refuses_zeroed(trusting.authentic(static_cast<std::uint64_t>(length) + 1, text), Verdict::esp_bad_inner);
  }
  trusting.accepts(trusting.authentic(21, with_trailer(header, 4)));
  CHECK(peer.bench.slot(peer.id).counters.malformed.get() == number);
  peer.accepts(with(six, 41));
}

TEST_CASE("a dummy packet is authenticated, moves the window, and leaves nothing", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  for (const EspMode mode : {EspMode::tunnel, EspMode::transport}) {
    Peer peer(choice, Shape{.mode = mode});
    const Bytes bytes = peer.authentic(5, noise(50) + from_hex("003b"));
    Bytes forged = bytes;
    forged.back() ^= 1;
    peer.refuses_zeroed(forged, Verdict::esp_bad_icv);
    const Outcome outcome = peer.bench.decapsulate(peer.id, bytes);
    CHECK(outcome.verdict == Verdict::dummy);
    CHECK(zero_from(outcome.memory, text_offset(peer.sa)));
    CHECK(peer.bench.slot(peer.id).window.top() == 5);
    CHECK(peer.bench.slot(peer.id).counters.packets.get() == 1);
    CHECK(peer.bench.slot(peer.id).counters.bytes.get() == 0);
    CHECK(peer.bench.decapsulate(peer.id, bytes).verdict == Verdict::replay_duplicate);
  }
}

TEST_CASE("an SA past its hard lifetime opens and seals nothing", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  Peer peer(choice);
  peer.accepts(peer.good(1));
  REQUIRE(peer.bench.engine().update(peer.id, Expire{}).ok());
  peer.refuses(peer.good(2), Verdict::hard_expired);
  const SaId out = peer.bench.install(make_sa({}, Direction::egress));
  REQUIRE(peer.bench.engine().update(out, Expire{}).ok());
  const Outcome outcome = peer.bench.encapsulate(out, hello());
  CHECK(outcome.verdict == Verdict::hard_expired);
  CHECK(outcome.packet == hello());
}

TEST_CASE("packets behind the one that reached a hard lifetime are refused within its burst", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  EspSa sa = make_sa({}, Direction::ingress);
  sa.lifetime.hard.packets = 2;
  Peer peer(choice, std::move(sa));
  const auto outcomes =
      peer.bench.burst(Operation::esp_decapsulate, peer.id, {peer.good(1), peer.good(2), peer.good(3)});
  CHECK(outcomes[0].verdict == Verdict::ok);
  CHECK(outcomes[1].verdict == Verdict::ok);
  CHECK(outcomes[2].verdict == Verdict::hard_expired);
  CHECK(outcomes[2].packet.size() == outcomes[2].memory.size());
  CHECK(peer.bench.slot(peer.id).window.top() == 2);
}

TEST_CASE("egress refuses what is not a whole IP packet, takes no number for it and leaves it as it was",
          "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  const bool decrement_ttl = GENERATE(true, false);
  EspSa sa = make_sa({}, Direction::egress);
  sa.decrement_ttl = decrement_ttl;
  EspBench bench(choice);
  const SaId out = bench.install(sa);
  const auto refuses = [&](const Bytes& bytes, Verdict verdict, Room room = {}) {
    const Outcome outcome = bench.encapsulate(out, bytes, 0, room);
    CHECK(outcome.verdict == verdict);
    CHECK(outcome.packet == bytes);
    CHECK(bench.slot(out).next_number.load() == 1);
    CHECK(bench.slot(out).counters.packets.get() == 0);
  };
  const Bytes good = hello();
  refuses({}, Verdict::malformed_ip);
  refuses(noise(19), Verdict::malformed_ip);
  refuses(Bytes(good.begin(), good.end() - 1), Verdict::malformed_ip);
  Bytes bad = good;
  bad[8] ^= 1;  // TTL without its checksum
  refuses(bad, Verdict::malformed_ip);
  if (decrement_ttl)
    for (const std::uint8_t ttl : Bytes{0, 1}) refuses(packet({.ttl = ttl}, noise(8)), Verdict::ttl_exceeded);
  // 88 bytes of clear text: 20 + 16 in front; 2 + 2 + 16 behind.
  refuses(good, Verdict::no_buffer, {.head = 35, .tail = 20});
  refuses(good, Verdict::no_buffer, {.head = 36, .tail = 19});
  CHECK(bench.encapsulate(out, good, 0, {.head = 36, .tail = 20}).verdict == Verdict::ok);
}

TEST_CASE("egress in transport mode refuses fragments", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  EspBench bench(choice);
  const SaId out = bench.install(make_sa({.mode = EspMode::transport}, Direction::egress));
  CHECK(bench.encapsulate(out, packet({.fragment = 0x2000}, noise(64))).verdict == Verdict::unsupported);
  CHECK(bench.encapsulate(out, packet({.fragment = 0x0004}, noise(64))).verdict == Verdict::unsupported);
  CHECK(bench.slot(out).next_number.load() == 1);
}

TEST_CASE("egress stops at the end of its lease and of its number space", "[esp][refusal]") {
  const auto choice = GENERATE(from_range(engines()));
  EspBench bench(choice);
  const SaId leased = bench.install(make_sa({}, Direction::egress), 1, 0, 3);
  CHECK(bench.encapsulate(leased, hello()).number == 1);
  CHECK(bench.encapsulate(leased, hello()).number == 2);
  CHECK(bench.encapsulate(leased, hello()).verdict == Verdict::lease_exhausted);
  const SaId narrow = bench.install(make_sa({.esn = false}, Direction::egress), 0xffffffff);
  CHECK(bench.encapsulate(narrow, hello()).number == 0xffffffff);
  const Outcome outcome = bench.encapsulate(narrow, hello());
  CHECK(outcome.verdict == Verdict::number_exhausted);
  CHECK(outcome.packet == hello());
}
