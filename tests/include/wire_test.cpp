// The IP parser, checksums, ECN tables and wide stores of include/linecrypt/wire.
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>

#include "linecrypt/packet.hpp"
#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/ecn.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "linecrypt/wire/wide_store.hpp"
#include "tests/support/ip_packets.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
namespace wire = linecrypt::wire;

namespace {

// Memory of exactly the packet's size, so that a sanitizer sees the first byte too far.
bool valid(const Bytes& bytes) {
  const auto memory = std::make_unique<std::uint8_t[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(memory.get(), bytes.data(), bytes.size());
  return wire::parse_ip(memory.get(), static_cast<std::uint32_t>(bytes.size())).valid;
}

Ip six(std::uint8_t protocol, std::uint8_t first, const char* extensions) {
  Ip ip{.source = "2001:db8:1::7", .destination = "2001:db8:2::9", .protocol = protocol};
  ip.first_extension = first;
  ip.options = from_hex(extensions);
  return ip;
}

}  // namespace

TEST_CASE("the Internet checksum agrees with the textbook at every length and alignment", "[wire]") {
  const Bytes bytes = noise(600);
  for (std::uint32_t offset = 0; offset < 8; ++offset)
    for (std::uint32_t length = 0; length < 300; ++length) {
      const auto begin = bytes.begin() + offset;
      REQUIRE(wire::checksum(bytes.data() + offset, length) == slow_checksum(Bytes(begin, begin + length)));
    }
  const Bytes ones(70000, 0xff);
  CHECK(wire::checksum(ones.data(), 65535) == slow_checksum(Bytes(ones.begin(), ones.begin() + 65535)));
}

TEST_CASE("an incremental checksum update equals computing it anew", "[wire]") {
  Bytes header = packet({}, {});
  for (std::uint32_t value = 0; value < 0x10000; value += 7) {
    wire::ipv4_rewrite16(header.data(), wire::ipv4_identification, static_cast<std::uint16_t>(value));
    REQUIRE(wire::checksum(header.data(), 20) == 0);
  }
  // A wrong checksum stays wrong.
  header[10] ^= 0x40;
  wire::ipv4_rewrite_tos(header.data(), 0xb8);
  CHECK(wire::checksum(header.data(), 20) != 0);
  header[10] ^= 0x40;
  for (int i = 0; i < 64; ++i) {
    wire::ipv4_decrement_ttl(header.data());
    REQUIRE(wire::checksum(header.data(), 20) == 0);
  }
  CHECK(header[8] == 0);
}

TEST_CASE("an IPv4 packet is parsed with options, fragments and padding", "[wire]") {
  Ip ip;
  ip.options = from_hex("9404000001010101");
  Bytes bytes = packet(ip, udp_segment(ip, 4000, 5000, noise(9)));
  bytes.resize(bytes.size() + 30);
  const wire::IpPacket parsed = wire::parse_ip(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  REQUIRE(parsed.valid);
  CHECK(parsed.family == Family::ipv4);
  CHECK(parsed.protocol == 17);
  CHECK(parsed.header_length == 28);
  CHECK(parsed.l4_offset == 28);
  CHECK(parsed.total_length == 28 + 17);
  CHECK(parsed.l4_length() == 17);
  CHECK_FALSE(parsed.fragment);
  const TrafficKey out = wire::traffic_key(parsed, wire::LocalSide::source);
  CHECK(out.has_ports);
  CHECK(out.local_port == 4000);
  CHECK(out.remote_port == 5000);
  CHECK(out.local[3] == 7);
  const TrafficKey in = wire::traffic_key(parsed, wire::LocalSide::destination);
  CHECK(in.local_port == 5000);
  CHECK(in.local[3] == 9);

  for (const std::uint16_t field : Bytes{0x20, 0x00, 0x3f}) {
    const auto flags = static_cast<std::uint16_t>(field << 8U | (field == 0 ? 1U : 0U));
    const Bytes part = packet({.fragment = flags}, udp_segment({}, 1, 2, {}));
    const wire::IpPacket piece = wire::parse_ip(part.data(), static_cast<std::uint32_t>(part.size()));
    CHECK(piece.fragment);
    CHECK(piece.non_initial_fragment == (field != 0x20));
    CHECK(wire::traffic_key(piece, wire::LocalSide::source).has_ports == (field == 0x20));
  }
}

TEST_CASE("malformed IPv4 packets are not valid", "[wire]") {
  const Bytes good = packet({}, noise(8));
  REQUIRE(valid(good));
  for (std::size_t length = 0; length < good.size(); ++length)
    REQUIRE_FALSE(valid(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length))));
  for (const std::uint8_t first : Bytes{0x44, 0x40, 0x48, 0x4f, 0x55, 0x65, 0x05, 0xf5}) {
    Bytes bad = good;
    bad[0] = first;
    if ((first & 15U) <= 7) fix_ipv4_checksum(bad);
    CHECK_FALSE(valid(bad));
  }
  for (std::size_t at = 0; at < 20; ++at)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      REQUIRE_FALSE(valid(bad));
    }
}

TEST_CASE("IPv6 extension headers are walked to the upper layer and no further", "[wire]") {
  struct Case {
    const char* what;
    Ip ip;
    std::uint8_t protocol;
    std::uint32_t l4;
    std::uint32_t esp;
    bool fragment, later, routing;
  };
  const Case cases[] = {
      {"none", six(6, 0, ""), 6, 40, 40, false, false, false},
      {"hop-by-hop", six(6, 0, "0600050200000000"), 6, 48, 48, false, false, false},
      {"options for the end", six(6, 60, "0601010c000000000000000000000000"), 6, 56, 40, false, false, false},
      {"first fragment", six(6, 44, "0600000100000001"), 6, 48, 48, true, false, false},
      {"later fragment", six(6, 44, "0600000800000001"), 6, 48, 48, true, true, false},
      {"later fragment of options", six(6, 44, "3c00000900000001"), 60, 48, 48, true, true, false},
      {"atomic fragment", six(6, 44, "0600000000000001"), 6, 48, 48, false, false, false},
      {"routing with segments left", six(6, 43, "0602020100000000 20010db8000000000000000000000001"), 6, 64, 64, false,
       false, true},
      {"AH ends the walk", six(51, 0, "3300050200000000"), 51, 48, 48, false, false, false},
      {"no next header", six(59, 0, "3b00050200000000"), 59, 48, 48, false, false, false},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const Bytes bytes = packet(c.ip, tcp_segment(c.ip, 1, 2, noise(20)));
    const wire::IpPacket parsed = wire::parse_ip(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
    REQUIRE(parsed.valid);
    CHECK(parsed.family == Family::ipv6);
    CHECK(parsed.protocol == c.protocol);
    CHECK(parsed.l4_offset == c.l4);
    CHECK(parsed.esp_offset == c.esp);
    CHECK(parsed.fragment == c.fragment);
    CHECK(parsed.non_initial_fragment == c.later);
    CHECK(parsed.routing_pending == c.routing);
    CHECK(wire::traffic_key(parsed, wire::LocalSide::source).has_ports == (c.protocol == 6 && !c.later));
    // Cut anywhere it is no packet.
    for (std::size_t length = 0; length < bytes.size(); ++length)
      REQUIRE_FALSE(valid(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length))));
    // Nor with a payload length that ends inside the chain.
    for (std::uint32_t length = 40; length < c.l4; ++length) {
      Bytes cut(bytes.begin(), bytes.begin() + length);
      put16(cut, 4, static_cast<std::uint16_t>(length - 40));
      REQUIRE_FALSE(valid(cut));
    }
  }
}

TEST_CASE("odd IPv6 chains are not valid", "[wire]") {
  CHECK_FALSE(valid(packet(six(6, 60, "0000010400000000 0600050200000000"), noise(20))));  // hop-by-hop not first
  CHECK_FALSE(valid(packet(six(6, 0, "06ff050200000000"), noise(20))));                    // longer than the packet
  CHECK_FALSE(valid(packet(six(17, 44, "06000001"), {})));                                 // cut fragment header
  std::string many;
  for (int i = 0; i < 15; ++i) many += "3c00010400000000";
  CHECK(valid(packet(six(6, 60, (many + "0600010400000000").c_str()), noise(20))));
  CHECK_FALSE(valid(packet(six(6, 60, (many + many + "0600010400000000").c_str()), noise(20))));
  Bytes empty = packet(six(59, 0, ""), {});
  CHECK(valid(empty));
  empty[6] = 0;  // would be a jumbogram: not taken
  CHECK_FALSE(valid(empty));
}

TEST_CASE("ECN goes into a tunnel by RFC 6040's figure 3", "[wire]") {
  using wire::Ecn;
  for (const Ecn ecn : {Ecn::not_ect, Ecn::ect0, Ecn::ect1, Ecn::ce}) {
    CHECK(wire::ecn_of_outer(ecn, true) == ecn);
    CHECK(wire::ecn_of_outer(ecn, false) == Ecn::not_ect);
  }
}

TEST_CASE("ECN comes out of a tunnel by RFC 6040's figure 4", "[wire]") {
  using wire::Ecn;
  const Ecn outer[] = {Ecn::not_ect, Ecn::ect0, Ecn::ect1, Ecn::ce};
  struct Row {
    Ecn inner;
    Ecn result[4];
  };
  const Row rows[] = {
      {Ecn::not_ect, {Ecn::not_ect, Ecn::not_ect, Ecn::not_ect, Ecn::not_ect}},  // the last is a drop
      {Ecn::ect0, {Ecn::ect0, Ecn::ect0, Ecn::ect1, Ecn::ce}},
      {Ecn::ect1, {Ecn::ect1, Ecn::ect1, Ecn::ect1, Ecn::ce}},
      {Ecn::ce, {Ecn::ce, Ecn::ce, Ecn::ce, Ecn::ce}},
  };
  for (const Row& row : rows)
    for (int i = 0; i < 4; ++i) {
      const bool drop = row.inner == Ecn::not_ect && outer[i] == Ecn::ce;
      CHECK(wire::ecn_of_inner(row.inner, outer[i]).drop == drop);
      if (!drop) CHECK(wire::ecn_of_inner(row.inner, outer[i]).ecn == row.result[i]);
    }
}

TEST_CASE("Fields written with one store are the bytes that one by one they are") {
  std::uint8_t wide[16];
  std::uint8_t narrow[16] = {};
  wire::store32(narrow, 0x01020304);
  wire::store64(narrow + 4, 0x1112131415161718);
  wire::put12(wide, wire::bytes4(narrow), wire::bytes_of(std::uint64_t{0x1112131415161718}));
  CHECK(std::memcmp(wide, narrow, sizeof wide) == 0);
  wire::store64(narrow, 0x2122232425262728);
  wire::store64(narrow + 8, 0x3132333435363738);
  wire::put16(wide, wire::bytes8(narrow), wire::bytes8(narrow + 8));
  CHECK(std::memcmp(wide, narrow, sizeof wide) == 0);
  wire::put16(wide, wire::join(wire::bytes4(narrow), wire::bytes4(narrow + 4)), wire::bytes_of(std::uint64_t{1}));
  wire::store64(narrow + 8, 1);
  CHECK(std::memcmp(wide, narrow, sizeof wide) == 0);
}

TEST_CASE("An Ethernet header moves with a new type, and nothing beside it changes") {
  for (const int distance : {36, 24, 16, -36, -16}) {
    std::array<std::uint8_t, 128> frame;
    for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<std::uint8_t>(i);
    auto expected = frame;
    std::copy_n(frame.begin() + 60, 12, expected.begin() + 60 + distance);
    wire::store16(&expected[static_cast<std::size_t>(72 + distance)], wire::ethertype_ipv6);
    wire::move_ethernet(&frame[static_cast<std::size_t>(60 + distance)], &frame[60], wire::ethertype_ipv6);
    CHECK(frame == expected);
  }
}

TEST_CASE("A packet's both ends move at once as they move one after the other") {
  std::array<std::uint8_t, 256> memory{};
  for (const int front : {-36, 0, 20})
    for (const std::uint32_t length : {0U, 64U, 100U, 120U}) {
      Packet one{memory.data() + 64, 80, 64, 112, nullptr};
      Packet other = one;
      one.set(one.data + front, length);
      if (front < 0)
        other.push_front(static_cast<std::uint32_t>(-front));
      else
        other.pull_front(static_cast<std::uint32_t>(front));
      other.set_length(length);
      CHECK(one.data == other.data);
      CHECK(one.length == other.length);
      CHECK(one.headroom == other.headroom);
      CHECK(one.tailroom == other.tailroom);
    }
}
