// The arithmetic of include/linecrypt/mtu.hpp against the published figures and against a search that knows nothing of
// the closed form.
#include <catch2/catch.hpp>
#include <optional>

#include "linecrypt/mtu.hpp"

using namespace linecrypt;

namespace {

// Builds the packet piece by piece (RFC 4303 2): pads byte by byte until the trailer ends on four bytes.
std::uint32_t packet_by_pieces(const mtu::EspLayout& layout, std::uint32_t payload) {
  std::uint32_t size = layout.family == Family::ipv4 ? 20 : 40;
  size += layout.extra_header;
  if (layout.udp) size += 8;
  size += 4 + 4 + 8;
  std::uint32_t cipher = payload;
  while ((cipher + 2) % 4 != 0) ++cipher;
  return size + cipher + 2 + 16;
}

// Largest payload by trying each one.
std::optional<std::uint32_t> payload_by_search(const mtu::EspLayout& layout, std::uint32_t path_mtu) {
  std::optional<std::uint32_t> best;
  for (std::uint32_t payload = 0; payload <= path_mtu; ++payload) {
    if (packet_by_pieces(layout, payload) <= path_mtu) best = payload;
  }
  return best;
}

}  // namespace

TEST_CASE("the published figures for a path of 1500 come out") {
  struct Row {
    EspMode mode;
    Family family;
    bool udp;
    std::uint32_t largest;
  };
  const Row row =
      GENERATE(Row{EspMode::tunnel, Family::ipv4, false, 1446}, Row{EspMode::tunnel, Family::ipv4, true, 1438},
               Row{EspMode::tunnel, Family::ipv6, false, 1426}, Row{EspMode::tunnel, Family::ipv6, true, 1418},
               Row{EspMode::transport, Family::ipv4, false, 1466}, Row{EspMode::transport, Family::ipv4, true, 1458},
               Row{EspMode::transport, Family::ipv6, false, 1466}, Row{EspMode::transport, Family::ipv6, true, 1458});
  REQUIRE(mtu::esp_largest_clear_packet({row.mode, row.family, row.udp, 0}, 1500) == row.largest);
}

TEST_CASE("the closed form equals a search for every path MTU from 0 to 1600") {
  const EspMode mode = GENERATE(EspMode::tunnel, EspMode::transport);
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const bool udp = GENERATE(false, true);
  const std::uint32_t extra = GENERATE(0U, 4U, 24U);
  if (mode == EspMode::tunnel && extra != 0) return;
  const mtu::EspLayout layout{mode, family, udp, extra};
  for (std::uint32_t path = 0; path <= 1600; ++path) {
    const std::optional<std::uint32_t> found = payload_by_search(layout, path);
    if (mtu::esp_largest_payload(layout, path) != found) {
      FAIL("path MTU " << path << " differs from the search");
    }
    if (found) {
      const std::uint32_t header = mode == EspMode::tunnel ? 0 : (family == Family::ipv4 ? 20U : 40U) + extra;
      REQUIRE(mtu::esp_largest_clear_packet(layout, path) == *found + header);
    }
  }
}

TEST_CASE("sizes of packets agree byte by byte up to the largest IP packet") {
  const mtu::EspLayout layout{EspMode::tunnel, GENERATE(Family::ipv4, Family::ipv6), GENERATE(false, true), 0};
  for (std::uint32_t payload = 0; payload <= mtu::ip_packet_largest; ++payload) {
    if (mtu::esp_packet_size(layout, payload) != packet_by_pieces(layout, payload)) FAIL("payload " << payload);
  }
}

TEST_CASE("MACsec adds 24 bytes without and 32 with the SCI to the frame and none to the IP packet") {
  REQUIRE(mtu::macsec_overhead(mtu::MacsecLayout::none) == 0);
  REQUIRE(mtu::macsec_overhead(mtu::MacsecLayout::no_sci) == 24);
  REQUIRE(mtu::macsec_overhead(mtu::MacsecLayout::sci) == 32);
  REQUIRE(mtu::macsec_layout(SciEncoding::explicit_sci) == mtu::MacsecLayout::sci);
  REQUIRE(mtu::macsec_layout(SciEncoding::end_station) == mtu::MacsecLayout::no_sci);
  REQUIRE(mtu::macsec_layout(SciEncoding::implicit) == mtu::MacsecLayout::no_sci);
  REQUIRE(mtu::macsec_layout(SciEncoding::scb) == mtu::MacsecLayout::no_sci);
  REQUIRE(mtu::frame_size(1500, 0, mtu::MacsecLayout::none) == 1514);
  REQUIRE(mtu::frame_size(1500, 1, mtu::MacsecLayout::no_sci) == 1542);
  REQUIRE(mtu::frame_size(1500, 2, mtu::MacsecLayout::sci) == 1554);
}
