// The ESP blocks give the software engine's frames and verdicts: every shape of SA, sizes from the smallest packet on.
// LINECRYPT_LONG=1: every size to 9216, each under several shapes.
#include "tests/firmware_hls/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

std::vector<std::uint32_t> sizes(Family family, std::size_t seed) {
  const std::uint32_t least = family == Family::ipv4 ? 20 : 40;
  std::vector<std::uint32_t> out;
  if (test::long_form()) {
    for (std::uint32_t size = least + static_cast<std::uint32_t>(seed % 7); size <= 9216; size += 7)
      out.push_back(size);
    return out;
  }
  for (std::uint32_t size = least; size < least + 12; ++size) out.push_back(size);
  for (const std::uint32_t edge : {64U, 128U, 192U, 256U})
    for (std::uint32_t size = edge - 3; size <= edge + 3; ++size)
      out.push_back(size + static_cast<std::uint32_t>(seed % 5) * 4);
  for (std::uint32_t i = 0; i < 6; ++i) out.push_back(static_cast<std::uint32_t>(300 + (seed * 97 + i * 211) % 1200));
  if (seed % 8 == 0) out.push_back(9216);
  return out;
}

}  // namespace

TEST_CASE("ESP frames and verdicts are the software engine's, both ways, for every shape of SA") {
  std::size_t seed = 0;
  for (const Shape& shape : shapes()) {
    INFO(describe(shape));
    EspOutPair out;
    EspInPair in;
    const SaId egress = out.install(make_sa(shape, Direction::egress));
    const SaId ingress = in.install(make_sa(shape, Direction::ingress));
    const std::uint16_t l2s[] = {0, 14, 18, 22};
    std::vector<Asked> clear;
    for (const std::uint32_t size : sizes(shape.inner, ++seed)) {
      const std::uint16_t l2 = l2s[clear.size() % 4];
      clear.push_back({egress, framed(test::sized_packet(shape.inner, size), l2), l2});
    }
    const auto sealed = out.compare(clear);
    std::vector<Asked> protected_packets;
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      REQUIRE(sealed[i].verdict == Verdict::ok);
      REQUIRE(sealed[i].flag);
      REQUIRE(sealed[i].number == i + 1);
      protected_packets.push_back({ingress, sealed[i].packet, clear[i].l2});
    }
    const auto opened = in.compare(protected_packets);
    for (std::size_t i = 0; i < opened.size(); ++i) {
      REQUIRE(opened[i].verdict == Verdict::ok);
      REQUIRE(opened[i].flag);
    }
    REQUIRE(out.punted + in.punted == 0);
  }
}
