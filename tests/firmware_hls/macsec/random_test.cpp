// Frames of every kind, right and broken, under every validation mode, give the software engine's frames and verdicts.
// LINECRYPT_LONG=1: a hundred times as many.
#include <map>
#include <random>

#include "tests/firmware_hls/macsec/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

const std::uint32_t rounds = test::long_form() ? 100 : 1;

struct Random {
  std::mt19937_64 engine;
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(engine() % bound); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
};

std::map<Verdict, std::size_t> seen;

}  // namespace

TEST_CASE("Clear frames of every kind become what the software engine makes of them") {
  Random random{std::mt19937_64(21)};
  seen.clear();
  for (const MacsecShape& shape : macsec_shapes()) {
    INFO(describe(shape));
    MacsecOutPair out;
    const SaId id = out.install(make_macsec(shape, Direction::egress));
    std::vector<Asked> asked;
    for (std::uint32_t i = 0; i < 25 * rounds; ++i) {
      Bytes frame = clear_frame(random.below(300), random.one_in(3) ? random.below(3) : shape.tags, i);
      if (random.one_in(4)) frame[random.below(20) % frame.size()] ^= static_cast<std::uint8_t>(1U << random.below(8));
      if (random.one_in(5)) frame.resize(random.below(30));
      if (random.one_in(40)) frame.resize(9728 - random.below(40), 0x77);
      asked.push_back({id, frame, 14});
    }
    for (const Outcome& one : out.compare(asked)) ++seen[one.verdict];
  }
  for (const Verdict verdict : {Verdict::ok, Verdict::malformed_ethernet, Verdict::macsec_vlan_missing,
                                Verdict::macsec_vlan_mismatch, Verdict::oversize, Verdict::unsupported}) {
    INFO(name(verdict));
    CHECK(seen[verdict] > 0);
  }
}

TEST_CASE("Protected frames of every kind get the software engine's verdicts in each validation mode") {
  Random random{std::mt19937_64(22)};
  seen.clear();
  for (const MacsecShape& shape : macsec_shapes()) {
    INFO(describe(shape));
    MacsecOutPair out;
    MacsecInPair in;
    MacsecSa receive = make_macsec(shape, Direction::ingress);
    receive.secy.validate = static_cast<ValidateFrames>(random.below(3));
    receive.secy.replay_protect = !random.one_in(3);
    receive.secy.replay_window = random.one_in(2) ? 0 : 30;
    if (receive.secy.replay_protect && random.one_in(2)) receive.secy.duplicate_bitmap = 64;
    INFO("validate " << static_cast<int>(receive.secy.validate) << ", replay_protect " << receive.secy.replay_protect
                     << ", window " << receive.secy.replay_window << ", bitmap " << receive.secy.duplicate_bitmap);
    const SaId id = in.install(receive, {}, random.one_in(3) ? 5 : 0);
    const SaId egress = out.install(make_macsec(shape, Direction::egress));
    std::vector<Bytes> sealed;
    for (std::uint32_t i = 0; i < 40 * rounds; ++i) {
      out.bench.packet({egress, clear_frame(14 + random.below(random.one_in(2) ? 60 : 300), shape.tags, i), 14});
      const auto outcomes = out.bench.run();
      if (outcomes.front().verdict == Verdict::ok) sealed.push_back(outcomes.front().packet);
      REQUIRE_FALSE(sealed.empty());
    }
    for (std::uint32_t i = 0; i < sealed.size(); ++i) {
      // In order, or one of the last ones again.
      Bytes frame = random.one_in(4) ? sealed[i - random.below(std::min<std::uint32_t>(i + 1, 45))] : sealed[i];
      const std::size_t tag = 12 + 4 * shape.tags;
      switch (random.below(8)) {
        case 0:
          frame[random.below(static_cast<std::uint32_t>(frame.size()))] ^=
              static_cast<std::uint8_t>(1U << random.below(8));
          break;
        case 1:
          frame[tag + random.below(8)] ^= static_cast<std::uint8_t>(1U << random.below(8));
          break;
        case 2:
          frame.resize(random.below(static_cast<std::uint32_t>(frame.size()) + 1));
          break;
        case 3:
          frame.resize(frame.size() + random.below(20), 0);
          break;
        case 4:
          if (random.one_in(3)) test::put32(frame, tag + 4, 0);
          if (random.one_in(3)) frame.insert(frame.begin() + 12, {0x81, 0, 0, 9});
          if (random.one_in(3)) frame.resize(9729 + random.below(20));
          break;
        default:
          break;
      }
      ++seen[in.compare({id, frame, 14}).verdict];
    }
    REQUIRE(in.punted == 0);
  }
  for (const Verdict verdict :
       {Verdict::ok, Verdict::unchecked, Verdict::malformed_ethernet, Verdict::oversize, Verdict::macsec_untagged,
        Verdict::macsec_vlan_missing, Verdict::macsec_vlan_mismatch, Verdict::macsec_short, Verdict::macsec_bad_version,
        Verdict::macsec_es_with_sc, Verdict::macsec_scb_with_sc, Verdict::macsec_e_without_c,
        Verdict::macsec_bad_short_length, Verdict::macsec_unused_sa, Verdict::macsec_unknown_sci,
        Verdict::macsec_not_valid, Verdict::replay_late, Verdict::replay_duplicate, Verdict::number_zero}) {
    INFO(name(verdict));
    CHECK(seen[verdict] > 0);
  }
}
