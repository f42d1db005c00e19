// Outer and inner header fields: DF, identification, DSCP, ECN (RFC 6040), TTL, flow label, options, extension headers.
#include <set>

#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

struct Sides {
  const char* name;
  Family outer;
  Family inner;
};
const std::vector<Sides> mixes = {{"IPv4 in IPv4", Family::ipv4, Family::ipv4},
                                  {"IPv6 in IPv4", Family::ipv4, Family::ipv6},
                                  {"IPv4 in IPv6", Family::ipv6, Family::ipv4},
                                  {"IPv6 in IPv6", Family::ipv6, Family::ipv6}};

Ip host(Family family) {
  return family == Family::ipv4 ? Ip{} : Ip{.source = "2001:db8:1::7", .destination = "2001:db8:2::9"};
}

Bytes clear_of(const Ip& ip) {
  return packet(ip, udp_segment(ip, 4000, 5000, noise(30)));
}

std::uint8_t class_of(const Bytes& packet) {
  if (packet.at(0) >> 4U == 4) return packet.at(1);
  return static_cast<std::uint8_t>(get16(packet, 0) >> 4U);
}

std::uint32_t label_of(const Bytes& packet) {
  return (packet.at(1) & 15U) << 16U | get16(packet, 2);
}

bool checksum_right(const Bytes& packet) {
  return slow_checksum(Bytes(packet.begin(), packet.begin() + (packet.at(0) & 15) * 4)) == 0;
}

// What comes out of the tunnel when `clear` came in with an outer class of `outer_class`.
Outcome through(const EngineChoice& choice, EspSa& sa, const Bytes& clear, std::uint8_t outer_class) {
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  const std::uint8_t next = clear.at(0) >> 4U == 4 ? 4 : 41;
  Outcome out = bench.decapsulate(in, in_outer(sa, reference_seal(sa, 1, with_trailer(clear, next)), outer_class));
  if (is_drop(out.verdict)) {
    CHECK(zero_from(out.memory, text_offset(sa)));
    CHECK(bench.slot(in).counters.packets.get() == 0);
  }
  return out;
}

}  // namespace

TEST_CASE("ECN enters a tunnel as RFC 6040 4.1 says, in normal and in compatibility mode", "[esp][ecn]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Sides mix = GENERATE(from_range(mixes));
  INFO(mix.name);
  for (const bool normal : {true, false}) {
    EspSa sa = make_sa({.outer = mix.outer, .inner = mix.inner}, Direction::egress);
    sa.ecn = normal;
    EspBench bench(choice);
    const SaId out = bench.install(sa);
    for (std::uint8_t ecn = 0; ecn < 4; ++ecn) {
      Ip ip = host(mix.inner);
      ip.traffic_class = static_cast<std::uint8_t>(0xb8 | ecn);
      const Outcome sealed = bench.encapsulate(out, clear_of(ip));
      CHECK(class_of(sealed.packet) == (normal ? 0xb8 | ecn : 0xb8));
    }
  }
}

TEST_CASE("ECN leaves a tunnel as each entry of RFC 6040's figure 4 says", "[esp][ecn]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Sides mix = GENERATE(from_range(mixes));
  INFO(mix.name);
  constexpr int not_ect = 0, ect1 = 1, ect0 = 2, ce = 3, drop = -1;
  struct Entry {
    int inner, outer, result;
  };
  // Row by row as printed in the RFC.
  const Entry figure4[] = {
      {not_ect, not_ect, not_ect}, {not_ect, ect0, not_ect}, {not_ect, ect1, not_ect}, {not_ect, ce, drop},
      {ect0, not_ect, ect0},       {ect0, ect0, ect0},       {ect0, ect1, ect1},       {ect0, ce, ce},
      {ect1, not_ect, ect1},       {ect1, ect0, ect1},       {ect1, ect1, ect1},       {ect1, ce, ce},
      {ce, not_ect, ce},           {ce, ect0, ce},           {ce, ect1, ce},           {ce, ce, ce},
  };
  for (const Entry& entry : figure4) {
    INFO("inner " << entry.inner << ", outer " << entry.outer);
    Ip ip = host(mix.inner);
    ip.traffic_class = static_cast<std::uint8_t>(0x28 | entry.inner);
    const auto outer_class = static_cast<std::uint8_t>(0xb8 | entry.outer);
    EspSa sa = make_sa({.outer = mix.outer, .inner = mix.inner}, Direction::ingress);
    const Outcome normal = through(choice, sa, clear_of(ip), outer_class);
    if (entry.result == drop) {
      CHECK(normal.verdict == Verdict::esp_bad_ecn);
    } else {
      REQUIRE(normal.verdict == Verdict::ok);
      Ip expected = ip;
      expected.traffic_class = static_cast<std::uint8_t>(0x28 | entry.result);
      CHECK(normal.packet == packet(expected, udp_segment(ip, 4000, 5000, noise(30))));
    }
    // Switched off: the inner packet stays as it is.
    sa.ecn = false;
    const Outcome off = through(choice, sa, clear_of(ip), outer_class);
    CHECK(off.verdict == Verdict::ok);
    CHECK(off.packet == clear_of(ip));
  }
}

TEST_CASE("ECN leaves a tunnel from the outer header that came, where an SA takes packets over either family",
          "[esp][ecn]") {
  const auto choice = GENERATE(from_range(engines(true)));
  for (const Family of_sa : {Family::ipv4, Family::ipv6}) {
    EspSa sa = make_sa({.outer = of_sa}, Direction::ingress);
    sa.verify_outer = false;
    const EspSa over = make_sa({.outer = of_sa == Family::ipv4 ? Family::ipv6 : Family::ipv4}, Direction::ingress);
    Ip ip = host(Family::ipv4);
    ip.traffic_class = 0x28 | 2;
    for (const std::uint8_t ecn : {std::uint8_t{2}, std::uint8_t{3}}) {
      EspBench bench(choice);
      const SaId in = bench.install(sa);
      const Bytes esp = reference_seal(sa, 1, with_trailer(clear_of(ip), 4));
      const auto outer_class = static_cast<std::uint8_t>(0xb8 | ecn);
      const Outcome out = bench.decapsulate(in, in_outer(over, esp, outer_class));
      REQUIRE(out.verdict == Verdict::ok);
      CHECK(class_of(out.packet) == (0x28 | ecn));
    }
  }
}

TEST_CASE("DSCP goes out by copy or by setting, and in only when asked", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Sides mix = GENERATE(from_range(mixes));
  INFO(mix.name);
  Ip ip = host(mix.inner);
  ip.traffic_class = 0x2a;  // DSCP 10, ECT(0)
  for (const bool copy : {true, false}) {
    EspSa sa = make_sa({.outer = mix.outer, .inner = mix.inner}, Direction::egress);
    sa.dscp_copy_out = copy;
    sa.dscp = 46;
    EspBench bench(choice);
    CHECK(class_of(bench.encapsulate(bench.install(sa), clear_of(ip)).packet) == (copy ? 0x2a : 46 << 2 | 2));
  }
  for (const bool copy : {true, false}) {
    EspSa sa = make_sa({.outer = mix.outer, .inner = mix.inner}, Direction::ingress);
    sa.dscp_copy_in = copy;
    const Outcome out = through(choice, sa, clear_of(ip), 46 << 2 | 2);
    REQUIRE(out.verdict == Verdict::ok);
    CHECK(class_of(out.packet) == (copy ? 46 << 2 | 2 : 0x2a));
    if (mix.inner == Family::ipv4) CHECK(checksum_right(out.packet));
  }
}

TEST_CASE("DF is copied, set or cleared, and identifications differ where fragments may come to be", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  struct Case {
    DfPolicy policy;
    bool ipv6;
    bool inner;
    bool outer;
  };
  for (const Case& c : {Case{DfPolicy::copy, false, false, false}, Case{DfPolicy::copy, false, true, true},
                        Case{DfPolicy::copy, true, true, true}, Case{DfPolicy::set, false, false, true},
                        Case{DfPolicy::clear, false, true, false}, Case{DfPolicy::clear, true, true, false}}) {
    EspSa sa = make_sa({}, Direction::egress);
    sa.df = c.policy;
    EspBench bench(choice);
    const SaId out = bench.install(sa);
    Ip ip = host(c.ipv6 ? Family::ipv6 : Family::ipv4);
    ip.fragment = c.inner ? 0x4000 : 0;
    std::set<std::uint16_t> identifications;
    for (int i = 0; i < 100; ++i) {
      const Bytes sealed = bench.encapsulate(out, clear_of(ip)).packet;
      CHECK(get16(sealed, 6) == (c.outer ? 0x4000 : 0));
      CHECK(checksum_right(sealed));
      identifications.insert(get16(sealed, 4));
    }
    CHECK(identifications.size() == (c.outer ? 1 : 100));
  }
  // A clear fragment goes through a tunnel as a packet; its own fragment fields are not the outer packet's.
  EspBench bench(choice);
  const SaId out = bench.install(make_sa({}, Direction::egress));
  const SaId in = bench.install(make_sa({}, Direction::ingress));
  const Bytes part = packet({.fragment = 0x2003}, noise(64));
  const Outcome sealed = bench.encapsulate(out, part);
  CHECK(get16(sealed.packet, 6) == 0);
  CHECK(bench.decapsulate(in, sealed.packet).packet == part);
}

TEST_CASE("TTL: the outer one is the SA's, the inner one falls by one when this gateway forwards", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Sides mix = GENERATE(from_range(mixes));
  INFO(mix.name);
  for (const bool decrement : {true, false}) {
    EspSa sa = make_sa({.outer = mix.outer, .inner = mix.inner}, Direction::egress);
    sa.hop_limit = 33;
    sa.decrement_ttl = decrement;
    EspBench bench(choice);
    const SaId out = bench.install(sa);
    const SaId in = bench.install(make_sa({.outer = mix.outer, .inner = mix.inner}, Direction::ingress));
    for (const std::uint8_t ttl : Bytes{2, 64, 128, 255}) {
      Ip ip = host(mix.inner);
      ip.ttl = ttl;
      const Outcome sealed = bench.encapsulate(out, clear_of(ip));
      REQUIRE(sealed.verdict == Verdict::ok);
      CHECK(sealed.packet[mix.outer == Family::ipv4 ? 8 : 7] == 33);
      Ip expected = ip;
      if (decrement) --expected.ttl;
      CHECK(bench.decapsulate(in, sealed.packet).packet == packet(expected, udp_segment(ip, 4000, 5000, noise(30))));
    }
  }
}

TEST_CASE("a wrong inner IPv4 checksum is refused both ways, and carried as it is where the SA says so",
          "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Family outer = GENERATE(Family::ipv4, Family::ipv6);
  const bool decrement = GENERATE(false, true);
  const Shape shape{.outer = outer};
  const Ip ip{.ttl = 64, .options = from_hex("01010100")};
  const Bytes right = clear_of(ip);
  Bytes wrong = right;
  wrong[11] ^= 0x21;
  EspSa out_sa = make_sa(shape, Direction::egress);
  out_sa.decrement_ttl = decrement;
  EspSa in_sa = make_sa(shape, Direction::ingress);
  for (const bool verify : {true, false}) {
    out_sa.verify_inner_checksum = in_sa.verify_inner_checksum = verify;
    EspBench bench(choice);
    const SaId out = bench.install(out_sa);
    const Outcome sealed = bench.encapsulate(out, wrong);
    // Refused before it took a number.
    CHECK(bench.encapsulate(out, right).number == (verify ? 1 : 2));
    const Bytes text = with_trailer(wrong, 4);
    if (verify) {
      CHECK(sealed.verdict == Verdict::malformed_ip);
      CHECK(through(choice, in_sa, wrong, 0).verdict == Verdict::esp_bad_inner);
      continue;
    }
    REQUIRE(sealed.verdict == Verdict::ok);
    Bytes expected = wrong;
    if (decrement) {
      // The checksum follows the TTL (RFC 1624), and is as wrong as it was.
      --expected[8];
      put16(expected, 10, static_cast<std::uint16_t>(get16(expected, 10) + 0x100));
    }
    const auto esp = sealed.packet.begin() + static_cast<std::ptrdiff_t>(text_offset(out_sa) - 16);
    CHECK(reference_open(out_sa, sealed.number, Bytes(esp, sealed.packet.end())) == with_trailer(expected, 4));
    const Outcome opened = through(choice, in_sa, wrong, 0);
    CHECK(opened.verdict == Verdict::ok);
    CHECK(opened.packet == wrong);
    // Everything else is looked at as ever.
    Bytes longer = wrong;
    put16(longer, 2, static_cast<std::uint16_t>(longer.size() + 9));
    CHECK(bench.encapsulate(out, longer).verdict == Verdict::malformed_ip);
    CHECK(through(choice, in_sa, longer, 0).verdict == Verdict::esp_bad_inner);
  }
}

TEST_CASE("the flow label is copied from IPv6 to IPv6 when asked, else one per SA and never zero", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Family inner = GENERATE(Family::ipv4, Family::ipv6);
  std::set<std::uint32_t> labels;
  for (const bool copy : {true, false}) {
    EspSa sa = make_sa({.outer = Family::ipv6, .inner = inner}, Direction::egress);
    sa.flow_label_copy = copy;
    EspBench bench(choice);
    const SaId out = bench.install(sa);
    Ip ip = host(inner);
    ip.flow_label = 0xabcde;
    const std::uint32_t first = label_of(bench.encapsulate(out, clear_of(ip)).packet);
    ip.ttl = 9;
    CHECK(label_of(bench.encapsulate(out, clear_of(ip)).packet) == first);
    if (copy && inner == Family::ipv6) {
      CHECK(first == 0xabcde);
    } else {
      CHECK(first != 0);
      CHECK(first != 0xabcde);
      labels.insert(first);
    }
  }
  CHECK(labels.size() == 1);
}

TEST_CASE("the l2 header stays in front with the EtherType of what follows", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Sides mix = GENERATE(from_range(mixes));
  const bool vlan = GENERATE(false, true);
  INFO(mix.name);
  const auto type = [](Family family) -> std::uint16_t { return family == Family::ipv4 ? 0x0800 : 0x86dd; };
  const auto l2 = static_cast<std::uint16_t>(vlan ? 18 : 14);
  EspBench bench(choice);
  const Shape shape{.outer = mix.outer, .inner = mix.inner};
  const SaId out = bench.install(make_sa(shape, Direction::egress));
  const SaId in = bench.install(make_sa(shape, Direction::ingress));
  const Bytes clear = clear_of(host(mix.inner));
  const Outcome sealed = bench.encapsulate(out, ethernet(type(mix.inner), clear, vlan), l2);
  REQUIRE(sealed.verdict == Verdict::ok);
  CHECK(Bytes(sealed.packet.begin(), sealed.packet.begin() + l2) == ethernet(type(mix.outer), {}, vlan));
  CHECK(bench.decapsulate(in, sealed.packet, l2).packet == ethernet(type(mix.inner), clear, vlan));
}

TEST_CASE("Ethernet padding is not encapsulated, and ignored behind an ESP packet", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const EspMode mode = GENERATE(EspMode::tunnel, EspMode::transport);
  EspBench bench(choice);
  const SaId out = bench.install(make_sa({.mode = mode}, Direction::egress));
  const SaId in = bench.install(make_sa({.mode = mode}, Direction::ingress));
  const Bytes frame = ethernet(0x0800, packet({}, noise(1)));
  const Outcome bare = bench.encapsulate(out, frame, 14);
  const Outcome padded = bench.encapsulate(out, frame + Bytes(60 - frame.size(), 0xee), 14);
  CHECK(padded.packet.size() == bare.packet.size());
  CHECK(bench.decapsulate(in, bare.packet + Bytes(9, 0xee), 14).packet == frame);
  CHECK(bench.decapsulate(in, padded.packet, 14).packet == frame);
}

TEST_CASE("TFC padding fills small packets up to a size and is taken off by the inner length", "[esp][header][tfc]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const Sides mix = GENERATE(from_range(mixes));
  INFO(mix.name);
  const Shape shape{.outer = mix.outer, .inner = mix.inner};
  EspSa sa = make_sa(shape, Direction::egress);
  sa.tfc_pad_to = 1400;
  EspBench bench(choice);
  const SaId out = bench.install(sa);
  const SaId in = bench.install(make_sa(shape, Direction::ingress));
  std::set<std::size_t> sizes;
  for (const std::uint32_t length : {40U, 41U, 100U, 1399U, 1400U}) {
    const Bytes clear = sized_packet(mix.inner, length);
    const Outcome sealed = bench.encapsulate(out, clear, 0, {.head = 64, .tail = 1400});
    REQUIRE(sealed.verdict == Verdict::ok);
    sizes.insert(sealed.packet.size());
    // The padding is zeros, not what lay in memory.
    const auto esp = sealed.packet.begin() + static_cast<std::ptrdiff_t>(text_offset(sa) - 16);
    const auto text = reference_open(sa, sealed.number, Bytes(esp, sealed.packet.end()));
    REQUIRE(text.has_value());
    CHECK(*text == with_trailer(clear + Bytes(1400 - length), mix.inner == Family::ipv4 ? 4 : 41));
    CHECK(bench.decapsulate(in, sealed.packet).packet == clear);
  }
  CHECK(sizes.size() == 1);
  const Bytes longer = sized_packet(mix.inner, 1500);
  const Outcome sealed = bench.encapsulate(out, longer);
  CHECK(sealed.packet.size() > *sizes.begin());
  CHECK(bench.decapsulate(in, sealed.packet).packet == longer);
  // The lifetime counts the packet, not its padding.
  CHECK(bench.slot(out).counters.bytes.get() == 40 + 41 + 100 + 1399 + 1400 + 1500);
  CHECK(bench.encapsulate(out, sized_packet(mix.inner, 60), 0, {.head = 64, .tail = 100}).verdict ==
        Verdict::no_buffer);
}

TEST_CASE("padding of any content behind the inner packet is tolerated", "[esp][header][tfc]") {
  const auto choice = GENERATE(from_range(engines(true)));
  EspSa sa = make_sa({}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  const Bytes clear = clear_of({});
  for (std::uint64_t extra = 1; extra < 40; ++extra) {
    const Bytes text = with_trailer(clear + noise(extra, 9), 4);
    CHECK(bench.decapsulate(in, in_outer(sa, reference_seal(sa, extra, text))).packet == clear);
  }
}

TEST_CASE("IPv4 options stay in front of ESP in transport mode and inside it in tunnel mode", "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const EspMode mode = GENERATE(EspMode::tunnel, EspMode::transport);
  const bool with_udp = GENERATE(false, true);
  const Shape shape{.mode = mode, .udp = with_udp};
  EspBench bench(choice);
  const SaId out = bench.install(make_sa(shape, Direction::egress));
  const SaId in = bench.install(make_sa(shape, Direction::ingress));
  for (const char* options :
       {"94040000", "01010101", "0101010144280d0000000000000000000000000000000000000000000000000000000000000000"}) {
    Ip ip;
    ip.options = from_hex(options);
    ip.options.resize((ip.options.size() + 3) / 4 * 4);
    if (ip.options.size() > 40) ip.options.resize(40);
    const Bytes clear = packet(ip, udp_segment(ip, 1, 2, noise(50)));
    const Outcome sealed = bench.encapsulate(out, clear);
    REQUIRE(sealed.verdict == Verdict::ok);
    CHECK(checksum_right(sealed.packet));
    const std::size_t header = mode == EspMode::tunnel ? 20 : 20 + ip.options.size();
    CHECK((sealed.packet[0] & 15U) * 4 == header);
    CHECK(sealed.packet[9] == (with_udp ? 17 : 50));
    CHECK(get16(sealed.packet, 2) == sealed.packet.size());
    const std::size_t spi = header + (with_udp ? 8 : 0);
    CHECK(get16(sealed.packet, spi + 2) == (make_sa(shape, Direction::egress).spi & 0xffffU));
    CHECK(bench.decapsulate(in, sealed.packet).packet == clear);
  }
  // Options in the outer header of a tunnel, as a router might have added them.
  if (mode == EspMode::tunnel && !with_udp) {
    const EspSa sa = make_sa(shape, Direction::ingress);
    Ip outer{.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = 50};
    outer.options = from_hex("94040000");
    const Bytes clear = clear_of({});
    CHECK(bench.decapsulate(in, packet(outer, reference_seal(sa, 900, with_trailer(clear, 4)))).packet == clear);
  }
}

TEST_CASE("ESP stands behind hop-by-hop, routing and fragment headers and before other destination options",
          "[esp][header]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const bool with_udp = GENERATE(false, true);
  const Shape shape{.mode = EspMode::transport, .outer = Family::ipv6, .inner = Family::ipv6, .udp = with_udp};
  struct Chain {
    const char* what;
    std::uint8_t first;
    const char* before;  // with the next header as it is in the clear packet
    const char* after;   // protected
    std::uint8_t protected_first;
    std::size_t names_esp;  // where in the packet the byte lies that becomes ESP or UDP
  };
  const Chain chains[] = {
      {"nothing", 17, "", "", 17, 6},
      {"hop-by-hop", 0, "1100050200000000", "", 17, 40},
      {"routing, done", 43, "1100040000000000", "", 17, 40},
      {"destination options", 60, "", "1100010400000000", 60, 6},
      {"hop-by-hop, destination options", 0, "3c00050200000000", "1100010400000000", 60, 40},
      {"destination options, routing, destination options", 60, "2b00010400000000 3c00040000000000", "1100010400000000",
       60, 48},
      {"hop-by-hop, routing, atomic fragment", 0, "2b00050200000000 2c00040000000000 1100000000001234", "", 17, 56},
      {"a long hop-by-hop", 0, "11010502000000000000000000000000", "", 17, 40},
  };
  EspBench bench(choice);
  const EspSa sa = make_sa(shape, Direction::egress);
  const SaId out = bench.install(sa);
  const SaId in = bench.install(make_sa(shape, Direction::ingress));
  for (const Chain& chain : chains) {
    INFO(chain.what);
    Ip ip = host(Family::ipv6);
    ip.options = from_hex(std::string(chain.before) + chain.after);
    ip.first_extension = chain.first;
    const Bytes segment = udp_segment(ip, 1, 2, noise(50));
    const Bytes clear = packet(ip, segment);
    const Outcome sealed = bench.encapsulate(out, clear);
    REQUIRE(sealed.verdict == Verdict::ok);
    const std::size_t front = 40 + from_hex(chain.before).size();
    Bytes expected = Bytes(clear.begin(), clear.begin() + static_cast<std::ptrdiff_t>(front));
    const Bytes esp =
        reference_seal(sa, sealed.number, with_trailer(from_hex(chain.after) + segment, chain.protected_first));
    expected[chain.names_esp] = with_udp ? 17 : 50;
    put16(expected, 4, static_cast<std::uint16_t>(front - 40 + (with_udp ? 8 : 0) + esp.size()));
    if (with_udp) {
      Bytes datagram = from_hex("1194119400000000") + esp;
      put16(datagram, 4, static_cast<std::uint16_t>(datagram.size()));
      put16(datagram, 6, slow_l4_checksum(ip, 17, datagram));
      expected = expected + datagram;
    } else {
      expected = expected + esp;
    }
    CHECK(to_hex(sealed.packet) == to_hex(expected));
    CHECK(bench.decapsulate(in, sealed.packet).packet == clear);
  }
  // Destination options that the peer left in front of ESP stay there.
  Ip ip = host(Family::ipv6);
  ip.protocol = 50;
  ip.first_extension = 60;
  ip.options = from_hex("3200010400000000");
  if (!with_udp) {
    const Bytes segment = udp_segment(ip, 1, 2, noise(50));
    const Outcome opened = bench.decapsulate(in, packet(ip, reference_seal(sa, 900, with_trailer(segment, 17))));
    CHECK(opened.verdict == Verdict::ok);
    ip.options[0] = 17;
    CHECK(opened.packet == packet(ip, segment));
  }
  // UDP cannot be checksummed on the way to a destination that is not the last.
  ip.first_extension = 43;
  ip.options = from_hex("1102040100000000 20010db8000000000000000000000001");
  CHECK(bench.encapsulate(out, packet(ip, noise(40))).verdict == (with_udp ? Verdict::unsupported : Verdict::ok));
}
