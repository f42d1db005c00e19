// Cycles per packet of the ESP blocks in steady state: as many as the longer of its two forms has beats. Modelled, not
// synthesized. LINECRYPT_LONG=1: every size from 46 to 9216.
#include "tests/firmware_hls/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

std::uint64_t beats(std::size_t bytes) {
  return (bytes + 63) / 64;
}

// Cycles from the first beat out to the last one, of packets sent back to back.
template <class Block>
std::uint64_t span(Bench<Block>& bench, const std::vector<Asked>& asked) {
  bench.forget_beats();
  for (const Asked& one : asked) bench.packet(one);
  for (const Outcome& one : bench.run()) REQUIRE(one.verdict == Verdict::ok);
  return bench.last_beat() - bench.first_beat();
}

std::vector<std::uint32_t> sizes() {
  std::vector<std::uint32_t> out;
  if (test::long_form()) {
    for (std::uint32_t size = 46; size <= 9202; ++size) out.push_back(size);
    return out;
  }
  for (std::uint32_t size = 46; size < 200; size += 7) out.push_back(size);
  for (const std::uint32_t size : {50U, 64U, 114U, 128U, 192U, 580U, 1280U, 1420U, 1500U, 4000U, 9202U})
    out.push_back(size);
  return out;
}

}  // namespace

TEST_CASE("Packets of different keys follow each other without a cycle between them, both ways") {
  const Family outer = GENERATE(Family::ipv4, Family::ipv6);
  EspOutPair out;
  EspInPair in;
  constexpr std::uint32_t keys = 8;
  std::vector<SaId> egress;
  std::vector<SaId> ingress;
  for (std::uint32_t i = 0; i < keys; ++i) {
    Shape shape;
    shape.outer = outer;
    shape.algorithm = i % 2 == 0 ? EspAlgorithm::aes_gcm_128 : EspAlgorithm::aes_gcm_256;
    egress.push_back(out.install(make_sa(shape, Direction::egress, i)));
    ingress.push_back(in.install(make_sa(shape, Direction::ingress, i)));
  }
  for (const std::uint32_t size : sizes()) {
    INFO(size << " bytes");
    const Bytes frame = framed(test::sized_packet(Family::ipv4, size), 14);
    const std::uint32_t some = test::long_form() ? 4 : size > 2000 ? 8 : 24;
    // The cycles that as many packets more take tell the steady state from the latency.
    std::uint64_t spans[2][2] = {};
    std::size_t sealed_size = 0;
    for (const std::uint32_t many : {0U, 1U}) {
      std::vector<Asked> clear;
      for (std::uint32_t i = 0; i < some * (many + 1); ++i) clear.push_back({egress[i % keys], frame, 14});
      out.bench.forget_beats();
      for (const Asked& one : clear) out.bench.packet(one);
      const auto outcomes = out.bench.run();
      spans[0][many] = out.bench.last_beat() - out.bench.first_beat();
      std::vector<Asked> sealed;
      for (std::size_t i = 0; i < outcomes.size(); ++i) {
        REQUIRE(outcomes[i].verdict == Verdict::ok);
        sealed.push_back({ingress[i % keys], outcomes[i].packet, 14});
      }
      sealed_size = outcomes[0].packet.size();
      spans[1][many] = span(in.bench, sealed);
    }
    const std::uint64_t longer = std::max(beats(frame.size()), beats(sealed_size));
    CHECK(spans[0][1] - spans[0][0] == some * longer);
    CHECK(spans[1][1] - spans[1][0] == some * longer);
  }
}

TEST_CASE("One packet comes out although nothing follows it") {
  EspOutPair out;
  EspInPair in;
  const SaId egress = out.install(make_sa({}, Direction::egress));
  const SaId ingress = in.install(make_sa({}, Direction::ingress));
  for (const std::uint32_t size : {20U, 60U, 64U, 1420U}) {
    const Outcome sealed = out.compare({egress, framed(test::sized_packet(Family::ipv4, size), 14), 14});
    REQUIRE(sealed.verdict == Verdict::ok);
    REQUIRE(in.compare({ingress, sealed.packet, 14}).verdict == Verdict::ok);
  }
}

TEST_CASE("Packets of one SA at every distance take consecutive numbers and fill one window") {
  EspOutPair out;
  EspInPair in;
  EspSa receive = make_sa({}, Direction::ingress);
  receive.replay_window = 64;
  const SaId egress = out.install(make_sa({}, Direction::egress));
  const SaId ingress = in.install(receive);
  const SaId other_egress = out.install(make_sa({}, Direction::egress, 2));
  const SaId other_ingress = in.install(make_sa({}, Direction::ingress, 2));
  const Bytes frame = test::sized_packet(Family::ipv4, 20);
  std::uint64_t number = 0;
  for (std::uint64_t distance = 1; distance <= 2 * firmware::memory_distance + 8; ++distance) {
    INFO("distance " << distance);
    // Bare IP packets of one beat each: one may enter every cycle. Other SAs' packets stand between.
    std::vector<Asked> clear;
    for (std::uint32_t i = 0; i < 40; ++i) clear.push_back({i % distance == 0 ? egress : other_egress, frame, 0});
    const auto sealed = out.compare(clear);
    std::vector<Asked> coming;
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      if (i % distance == 0) REQUIRE(sealed[i].number == ++number);
      const SaId id = i % distance == 0 ? ingress : other_ingress;
      // Each comes twice, the second time `distance` packets later or at once.
      coming.push_back({id, sealed[i].packet, 0});
      if (i % 3 == 0) coming.push_back({id, sealed[i].packet, 0});
      if (i >= distance && i % 4 == 0)
        coming.push_back({i % distance == 0 ? ingress : other_ingress, sealed[i - i % distance].packet, 0});
    }
    std::size_t accepted = 0;
    for (const Outcome& one : in.compare(coming)) accepted += one.verdict == Verdict::ok ? 1 : 0;
    REQUIRE(accepted == sealed.size());
  }
}
