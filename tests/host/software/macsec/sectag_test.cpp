// The SecTAG on its own (include/linecrypt/wire/sectag.hpp): building, reading, VLAN tags in clear. Each rule has its
// test through the engine in malformed_test.cpp.
#include "linecrypt/wire/sectag.hpp"

#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;
using wire::SecTag;

TEST_CASE("a SecTAG that is built is read back, in each of the four encodings") {
  for (const SciEncoding encoding :
       {SciEncoding::explicit_sci, SciEncoding::end_station, SciEncoding::implicit, SciEncoding::scb}) {
    for (const bool encrypt : {false, true}) {
      for (std::uint8_t an = 0; an < 4; ++an) {
        std::array<std::uint8_t, wire::sectag_size_largest + 48 + macsec_icv_size> bytes{};
        wire::build_sectag(bytes.data(), encoding, encrypt, an, 0, 0xb2c28465, 0x12153524c0895e81);
        const std::uint32_t size = wire::sectag_size_of(encoding);
        SecTag tag;
        REQUIRE(wire::parse_sectag(bytes.data(), size + 48 + macsec_icv_size, false, tag) == Verdict::pending);
        CHECK(tag.size == size);
        CHECK(tag.an() == an);
        CHECK(tag.encrypted() == encrypt);
        CHECK(tag.changed() == encrypt);
        CHECK(tag.packet_number == 0xb2c28465);
        CHECK(tag.data_length == 48);
        CHECK(tag.has_sci() == (encoding == SciEncoding::explicit_sci));
        CHECK(tag.end_station() == (encoding == SciEncoding::end_station));
        CHECK(tag.scb() == (encoding == SciEncoding::scb));
        if (tag.has_sci()) CHECK(tag.sci == 0x12153524c0895e81);
      }
    }
  }
}

TEST_CASE("the SCI comes from the tag, from the source address, or from nowhere") {
  const Bytes frame = clear_frame(60);
  std::uint64_t sci = 0;
  SecTag tag;
  tag.tci_an = wire::tci_sc;
  tag.sci = 42;
  CHECK(wire::sci_of(tag, frame.data(), sci));
  CHECK(sci == 42);
  tag.tci_an = wire::tci_end_station;
  CHECK(wire::sci_of(tag, frame.data(), sci));
  CHECK(sci == Sci{peer_mac, 1}.value());
  tag.tci_an = wire::tci_scb;
  CHECK(wire::sci_of(tag, frame.data(), sci));
  CHECK(sci == Sci{peer_mac, 0}.value());
  tag.tci_an = wire::tci_scb | wire::tci_end_station;  // SCB decides the port (9.5)
  CHECK(wire::sci_of(tag, frame.data(), sci));
  CHECK(sci == Sci{peer_mac, 0}.value());
  tag.tci_an = 0;
  CHECK_FALSE(wire::sci_of(tag, frame.data(), sci));
}

TEST_CASE("short length is the secure data's size below 48 octets and zero from there") {
  for (std::uint32_t size = 1; size < 200; ++size) CHECK(wire::build_short_length(size) == (size < 48 ? size : 0));
}

TEST_CASE("reading never goes beyond the octets that are there, whatever they say") {
  Random random(7);
  for (int i = 0; i < 200000; ++i) {
    // A buffer of exactly the size, so that a sanitizer build sees the first octet too many.
    const auto size = static_cast<std::uint32_t>(random.below(120));
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    SecTag tag;
    const bool padded = random.below(2) != 0;
    if (wire::parse_sectag(bytes.data(), size, padded, tag) != Verdict::pending) continue;
    REQUIRE(tag.size + tag.data_length + macsec_icv_size <= size);
    REQUIRE(tag.data_length > 0);
    REQUIRE((padded || tag.size + tag.data_length + macsec_icv_size == size));
  }
}

TEST_CASE("VLAN tags in clear are matched by number, TPID and VID, not by priority") {
  const std::vector<ClearVlanTag> two = {{0x88a8, 100}, {0x8100, 7}};
  const wire::ClearTags expected(two);
  CHECK(expected.sectag_offset() == 20);
  const auto match = [&](const std::vector<ClearVlanTag>& tags, std::uint8_t pcp = 0) {
    const Bytes frame = clear_frame(60, tags, pcp);
    return wire::match_clear_tags(expected, frame.data(), static_cast<std::uint32_t>(frame.size()));
  };
  CHECK(match(two) == Verdict::pending);
  CHECK(match(two, 7) == Verdict::pending);
  CHECK(match({}) == Verdict::macsec_vlan_missing);
  CHECK(match({{0x88a8, 100}}) == Verdict::macsec_vlan_missing);
  CHECK(match({{0x88a8, 101}, {0x8100, 7}}) == Verdict::macsec_vlan_mismatch);
  CHECK(match({{0x88a8, 100}, {0x8100, 8}}) == Verdict::macsec_vlan_mismatch);
  CHECK(match({{0x8100, 100}, {0x8100, 7}}) == Verdict::macsec_vlan_mismatch);
  CHECK(match({{0x88a8, 100}, {0x88a8, 7}}) == Verdict::macsec_vlan_mismatch);
  CHECK(match({{0x88a8, 100}, {0x8100, 7}, {0x8100, 9}}) == Verdict::pending);  // the third is user data
}

TEST_CASE("a frame cut anywhere within its VLAN tags is malformed, not read beyond") {
  const std::vector<ClearVlanTag> two = {{0x88a8, 100}, {0x8100, 7}};
  const wire::ClearTags expected(two);
  const Bytes whole = clear_frame(60, two);
  for (std::uint32_t size = 0; size < 22; ++size) {
    const Bytes cut(whole.begin(), whole.begin() + size);
    CHECK(wire::match_clear_tags(expected, cut.data(), size) == Verdict::malformed_ethernet);
  }
  CHECK(wire::match_clear_tags(expected, whole.data(), 22) == Verdict::pending);
}
