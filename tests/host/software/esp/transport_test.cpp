// Transport mode behind a NAT, and selectors after decapsulation.
#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// A packet that the host `as_sent` protected and a NAT moved to `as_seen`: the segment's checksum is over the former.
Bytes through_nat(const EspSa& sa, std::uint64_t number, const Ip& as_seen, std::uint8_t protocol,
                  const Bytes& segment) {
  Bytes datagram(8);
  put16(datagram, 0, 61234);
  put16(datagram, 2, 4500);
  datagram = datagram + reference_seal(sa, number, with_trailer(segment, protocol));
  put16(datagram, 4, static_cast<std::uint16_t>(datagram.size()));
  Ip ip = as_seen;
  ip.protocol = udp;
  return packet(ip, datagram);
}

Ip with_protocol(Ip ip, std::uint8_t protocol) {
  ip.protocol = protocol;
  return ip;
}

Selector selector(const char* local, const char* remote) {
  Selector out;
  out.local = *Prefix::parse(local);
  out.remote = *Prefix::parse(remote);
  return out;
}

constexpr std::uint64_t zero_checksum_number = 8952;

}  // namespace

TEST_CASE("inner TCP and UDP checksums are repaired behind a NAT", "[esp][transport][udp]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const bool six = GENERATE(false, true);
  const Ip sent = six ? Ip{.source = "fd00::5", .destination = "2001:db8:2::9"} : Ip{.source = "192.168.7.5"};
  const Ip seen = six ? Ip{.source = "2001:db8:1::7", .destination = "2001:db8:2::9"} : Ip{};
  const Family family = six ? Family::ipv6 : Family::ipv4;
  EspSa sa = make_sa({.mode = EspMode::transport, .outer = family, .inner = family, .udp = true}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  std::uint64_t number = 0;
  const auto open = [&](std::uint8_t protocol, const Bytes& segment) {
    const Outcome out = bench.decapsulate(in, through_nat(sa, ++number, seen, protocol, segment));
    REQUIRE(out.verdict == Verdict::ok);
    return out.packet;
  };
  for (std::size_t size = 0; size < 70; ++size) {
    const Bytes data = noise(size);
    CHECK(open(tcp, tcp_segment(sent, 80, 81, data)) ==
          packet(with_protocol(seen, tcp), tcp_segment(seen, 80, 81, data)));
    CHECK(open(udp, udp_segment(sent, 80, 81, data)) ==
          packet(with_protocol(seen, udp), udp_segment(seen, 80, 81, data)));
  }
  // A UDP checksum that comes out as zero is written as 0xffff (RFC 768).
  Bytes zero = udp_segment(seen, 80, 81, noise(40));
  put16(zero, 6, 0);
  put16(zero, 20, 0);
  put16(zero, 20, slow_l4_checksum(seen, udp, zero));
  REQUIRE(slow_l4_checksum(seen, udp, zero) == 0);
  Bytes sums_to_zero = zero;
  put16(sums_to_zero, 6, 0x1234);
  put16(zero, 6, 0xffff);
  CHECK(open(udp, sums_to_zero) == packet(with_protocol(seen, udp), zero));
  // No checksum stays none; cut or inconsistent segments and other protocols stay as they are.
  Bytes none = udp_segment(sent, 80, 81, noise(40));
  put16(none, 6, 0);
  CHECK(open(udp, none) == packet(with_protocol(seen, udp), none));
  Bytes lying = udp_segment(sent, 80, 81, noise(40));
  put16(lying, 4, 49);
  CHECK(open(udp, lying) == packet(with_protocol(seen, udp), lying));
  put16(lying, 4, 7);
  CHECK(open(udp, lying) == packet(with_protocol(seen, udp), lying));
  for (const std::size_t size : {0, 4, 7})
    CHECK(open(udp, noise(size)) == packet(with_protocol(seen, udp), noise(size)));
  for (const std::size_t size : {0, 18, 19})
    CHECK(open(tcp, noise(size)) == packet(with_protocol(seen, tcp), noise(size)));
  CHECK(open(132, noise(40)) == packet(with_protocol(seen, 132), noise(40)));
}

TEST_CASE("a UDP checksum over ciphertext that comes out as zero is sent as 0xffff", "[esp][udp]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const EspSa sa = make_sa({.outer = Family::ipv6, .udp = true}, Direction::egress);
  const Bytes clear = sized_packet(Family::ipv4, 40);
  // Found by trying: the number whose packet has such a checksum.
  const std::uint64_t number = zero_checksum_number;
  Bytes datagram = from_hex("1194119400000000") + reference_seal(sa, number, with_trailer(clear, 4));
  put16(datagram, 4, static_cast<std::uint16_t>(datagram.size()));
  REQUIRE(slow_l4_checksum({.source = "2001:db8::1", .destination = "2001:db8::2"}, udp, datagram) == 0);
  EspBench bench(choice);
  const Outcome sealed = bench.encapsulate(bench.install(sa, number), clear);
  CHECK(get16(sealed.packet, 46) == 0xffff);
  const SaId in = bench.install(make_sa({.outer = Family::ipv6, .udp = true}, Direction::ingress));
  CHECK(bench.decapsulate(in, sealed.packet).packet == clear);
}

TEST_CASE("without UDP encapsulation an inner checksum is left as it came", "[esp][transport]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const EspSa sa = make_sa({.mode = EspMode::transport}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  Bytes segment = tcp_segment({}, 80, 81, noise(30));
  segment[16] ^= 0x55;
  Ip outer = with_protocol({}, 50);
  const Outcome out = bench.decapsulate(in, packet(outer, reference_seal(sa, 1, with_trailer(segment, tcp))));
  CHECK(out.packet == packet(with_protocol({}, tcp), segment));
}

TEST_CASE("an inner packet must match one of its SA's selectors", "[esp][selector]") {
  const auto choice = GENERATE(from_range(engines()));
  const EspMode mode = GENERATE(EspMode::tunnel, EspMode::transport);
  EspSa sa = make_sa({.mode = mode}, Direction::ingress);
  sa.verify_outer = false;
  // Local is this side: the destination of what comes in.
  Selector web = selector("10.2.0.0/24", "10.1.0.0/16");
  web.protocol = tcp;
  web.local_port = {80, 90};
  Selector icmp = selector("10.2.0.0/24", "10.1.0.0/16");
  icmp.protocol = 1;
  sa.selectors = {web, icmp};
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  std::uint64_t number = 0;
  const auto send = [&](const Ip& ip, const Bytes& payload) {
    ++number;
    Outcome out;
    if (mode == EspMode::tunnel) {
      out = bench.decapsulate(in, in_outer(sa, reference_seal(sa, number, with_trailer(packet(ip, payload), 4))));
    } else {
      Ip outer = with_protocol(ip, 50);
      out = bench.decapsulate(in, packet(outer, reference_seal(sa, number, with_trailer(payload, ip.protocol))));
    }
    CHECK(bench.slot(in).window.top() == number);
    if (is_drop(out.verdict)) CHECK(zero_from(out.memory, 36));
    return out.verdict;
  };
  const Ip ip = with_protocol({}, tcp);
  CHECK(send(ip, tcp_segment(ip, 9999, 80, noise(9))) == Verdict::ok);
  CHECK(send(ip, tcp_segment(ip, 9999, 90, {})) == Verdict::ok);
  CHECK(send(with_protocol({}, 1), noise(9)) == Verdict::ok);
  CHECK(send(ip, tcp_segment(ip, 9999, 79, noise(9))) == Verdict::selector_mismatch);
  CHECK(send(ip, tcp_segment(ip, 80, 9999, noise(9))) == Verdict::selector_mismatch);  // the other side's port
  CHECK(send({}, udp_segment({}, 9999, 80, noise(9))) == Verdict::selector_mismatch);
  CHECK(send(ip, noise(3)) == Verdict::selector_mismatch);  // too short for ports
  Ip wrong = ip;
  wrong.destination = "10.2.1.9";
  CHECK(send(wrong, tcp_segment(wrong, 9999, 80, {})) == Verdict::selector_mismatch);
  wrong = ip;
  wrong.source = "10.9.0.7";
  CHECK(send(wrong, tcp_segment(wrong, 9999, 80, {})) == Verdict::selector_mismatch);
  // Source and destination the wrong way round.
  wrong = ip;
  std::swap(wrong.source, wrong.destination);
  CHECK(send(wrong, tcp_segment(wrong, 9999, 80, {})) == Verdict::selector_mismatch);
  CHECK(bench.slot(in).counters.mismatch.get() == 7);
  if (mode == EspMode::tunnel) {
    // A first fragment has its ports; a later one has none, whatever its bytes look like (RFC 4301 7).
    Ip part = ip;
    part.fragment = 0x2000;
    CHECK(send(part, tcp_segment(ip, 9999, 80, {})) == Verdict::ok);
    part.fragment = 0x0005;
    CHECK(send(part, tcp_segment(ip, 9999, 80, {})) == Verdict::selector_mismatch);
    part = with_protocol(part, 1);
    CHECK(send(part, noise(8)) == Verdict::ok);  // no port asked for
    // The other family.
    const Ip six{.source = "2001:db8:1::7", .destination = "2001:db8:2::9", .protocol = tcp};
    const Bytes inner = packet(six, tcp_segment(six, 9999, 80, {}));
    const Outcome out = bench.decapsulate(in, in_outer(sa, reference_seal(sa, ++number, with_trailer(inner, 41))));
    CHECK(out.verdict == Verdict::selector_mismatch);
  }
}

TEST_CASE("selectors look behind IPv6 extension headers", "[esp][selector]") {
  const auto choice = GENERATE(from_range(engines(true)));
  EspSa sa = make_sa({.inner = Family::ipv6}, Direction::ingress);
  Selector web = selector("2001:db8:2::/48", "2001:db8:1::/48");
  web.protocol = tcp;
  web.local_port = {80, 80};
  sa.selectors = {web};
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  std::uint64_t number = 0;
  const auto send = [&](Ip ip, std::uint16_t port) {
    const Bytes inner = packet(ip, tcp_segment(ip, 9999, port, noise(8)));
    return bench.decapsulate(in, in_outer(sa, reference_seal(sa, ++number, with_trailer(inner, 41)))).verdict;
  };
  Ip ip{.source = "2001:db8:1::7", .destination = "2001:db8:2::9", .protocol = tcp};
  ip.options = from_hex("3c00050200000000 0600010400000000");
  ip.first_extension = 0;
  CHECK(send(ip, 80) == Verdict::ok);
  CHECK(send(ip, 81) == Verdict::selector_mismatch);
  ip.options = from_hex("0600000100001234");  // first fragment
  ip.first_extension = 44;
  CHECK(send(ip, 80) == Verdict::ok);
  ip.options = from_hex("0600000900001234");  // a later one
  CHECK(send(ip, 80) == Verdict::selector_mismatch);
}

TEST_CASE("a moved peer gets packets at its new address, and is known by it", "[esp][udp]") {
  const auto choice = GENERATE(from_range(engines(true)));
  EspBench bench(choice);
  const SaId out = bench.install(make_sa({.udp = true}, Direction::egress));
  EspSa sa = make_sa({.udp = true}, Direction::ingress);
  sa.udp->verify_ports = true;
  const SaId in = bench.install(sa);
  EspSa moved = sa.duplicate();
  moved.source = address("192.0.2.99");
  moved.udp->source_port = 61000;
  const Bytes clear = sized_packet(Family::ipv4, 60);
  const Bytes from_new = in_outer(moved, reference_seal(sa, 1, with_trailer(clear, 4)));
  CHECK(bench.decapsulate(in, from_new).verdict == Verdict::esp_outer_mismatch);
  REQUIRE(bench.engine().update(out, SetPeer{address("192.0.2.99"), 61000}).ok());
  REQUIRE(bench.engine().update(in, SetPeer{address("192.0.2.99"), 61000}).ok());
  CHECK(bench.decapsulate(in, from_new).packet == clear);
  const Bytes sealed = bench.encapsulate(out, clear).packet;
  CHECK(to_hex(Bytes(sealed.begin() + 16, sealed.begin() + 24)) ==
        "c0000263"
        "1194"
        "ee48");
}
