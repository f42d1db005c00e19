// The MACsec blocks give the software engine's frames and verdicts: every shape of SA, sizes from the smallest frame
// on. LINECRYPT_LONG=1: every size to 9216, each under several shapes.
#include "tests/firmware_hls/macsec/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

std::vector<std::uint32_t> sizes(std::size_t seed) {
  std::vector<std::uint32_t> out;
  if (test::long_form()) {
    for (std::uint32_t size = 22 + static_cast<std::uint32_t>(seed % 13); size <= 9216; size += 13) out.push_back(size);
    return out;
  }
  for (std::uint32_t size = 22; size < 72; size += 3) out.push_back(size);
  for (const std::uint32_t edge : {64U, 76U, 128U, 140U, 192U, 204U})
    for (std::uint32_t size = edge - 2; size <= edge + 2; ++size)
      out.push_back(size + static_cast<std::uint32_t>(seed % 3) * 8);
  for (std::uint32_t i = 0; i < 5; ++i) out.push_back(static_cast<std::uint32_t>(300 + (seed * 97 + i * 211) % 1200));
  if (seed % 8 == 0) out.push_back(9216);
  return out;
}

}  // namespace

TEST_CASE("MACsec frames and verdicts are the software engine's, both ways, for every shape of SA") {
  std::size_t seed = 0;
  for (const MacsecShape& shape : macsec_shapes()) {
    INFO(describe(shape));
    MacsecOutPair out;
    MacsecInPair in;
    const SaId egress = out.install(make_macsec(shape, Direction::egress));
    const SaId ingress = in.install(make_macsec(shape, Direction::ingress));
    std::vector<Asked> clear;
    for (const std::uint32_t size : sizes(++seed)) clear.push_back({egress, clear_frame(size, shape.tags), 14});
    // A shorter one than any Ethernet frame, which has as little data as can be.
    clear.push_back({egress, clear_frame(0, shape.tags), 14});
    const auto sealed = out.compare(clear);
    std::vector<Asked> protected_frames;
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      REQUIRE(sealed[i].verdict == Verdict::ok);
      Bytes frame = sealed[i].packet;
      // Ethernet pads what is too short; the short length tells the data from the padding.
      if (i % 2 == 0 && frame.size() < 60) frame.resize(60);
      protected_frames.push_back({ingress, frame, 14});
    }
    const auto opened = in.compare(protected_frames);
    for (const Outcome& one : opened) REQUIRE(one.verdict == Verdict::ok);
  }
}
