// SAs that the card finds itself: by SPI, or by SCI and AN.
#include "driver/card/records/hash_placement.hpp"
#include "tests/firmware_hls/esp/fixture.hpp"
#include "tests/firmware_hls/macsec/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

template <class Block>
void load(Bench<Block>& bench, const std::vector<abi::Command>& commands) {
  for (const abi::Command& one : commands) bench.command(one);
}

}  // namespace

TEST_CASE("ESP packets find their SA by SPI, also while entries move") {
  EspInPair in;
  card::HashPlacement placement(abi::Block::esp_decapsulate, bench_slots);
  Shape shape;
  shape.udp = GENERATE(false, true);
  std::vector<EspSa> sas;
  std::vector<SaId> ids;
  Bytes text = test::sized_packet(Family::ipv4, 30);
  text = text + Bytes{0, 4};
  std::uint64_t number = 1;
  for (std::uint32_t i = 0; i < bench_slots; ++i) {
    sas.push_back(make_sa(shape, Direction::ingress, i * 977));
    ids.push_back(in.install(sas.back()));
    auto commands = placement.insert({sas.back().spi, 0}, ids.back());
    REQUIRE(commands.ok());
    // Packets of those that are there, between any two commands.
    std::size_t sent = 0;
    const auto packets = [&] {
      for (std::size_t k = 0; k < i; ++k, ++sent)
        in.bench.packet({{abi::find_by_hash, 0}, framed(seal_esp(sas[k], number, text), 14), 14});
      ++number;
    };
    packets();
    for (const abi::Command& one : *commands) {
      in.bench.command(one);
      packets();
    }
    const auto outcomes = in.bench.run();
    REQUIRE(outcomes.size() == sent);
    for (const Outcome& one : outcomes) REQUIRE(name(one.verdict) == "ok");
    REQUIRE_FALSE(in.bench.refused());
  }
  // One that was never there, and one that has gone.
  in.bench.packet({{abi::find_by_hash, 0}, seal_esp(make_sa(shape, Direction::ingress, 5), 1, text), 0});
  load(in.bench, placement.erase({sas[3].spi, 0}));
  in.bench.packet({{abi::find_by_hash, 0}, seal_esp(sas[3], number, text), 0});
  // An entry that outlives its SA.
  in.bench.command(card::remove_command(ids[4], abi::Block::esp_decapsulate));
  in.bench.packet({{abi::find_by_hash, 0}, seal_esp(sas[4], number, text), 0});
  const auto outcomes = in.bench.run();
  CHECK(outcomes[0].verdict == Verdict::esp_unknown_spi);
  CHECK(outcomes[1].verdict == Verdict::esp_unknown_spi);
  CHECK(outcomes[2].verdict == Verdict::stale_sa);
}

TEST_CASE("MACsec frames find their SA by SCI and AN, and without an SCI by AN alone") {
  const auto encoding =
      GENERATE(SciEncoding::explicit_sci, SciEncoding::end_station, SciEncoding::implicit, SciEncoding::scb);
  const std::uint32_t tags = GENERATE(0U, 2U);
  const MacsecShape shape{CipherSuite::gcm_aes_xpn_256, encoding, true, tags};
  MacsecOutPair out;
  MacsecInPair in;
  const MacsecSa sa = make_macsec(shape, Direction::ingress);
  const SaId egress = out.install(make_macsec(shape, Direction::egress));
  const SaId ingress = in.install(sa);
  card::HashPlacement placement(abi::Block::macsec_validate, bench_slots);
  const bool implicit = encoding == SciEncoding::implicit;
  auto commands =
      placement.insert({implicit ? 0 : sa.sci.value(), sa.an + (implicit ? abi::hash_implicit : 0)}, ingress);
  REQUIRE(commands.ok());
  for (int i = 0; i < 2; ++i) out.bench.packet({egress, clear_frame(100, tags), 14});
  const auto sealed = out.bench.run();
  in.bench.packet({{abi::find_by_hash, 0}, sealed[0].packet, 14});
  load(in.bench, *commands);
  in.bench.packet({{abi::find_by_hash, 0}, sealed[1].packet, 14});
  in.bench.packet({{abi::find_by_hash, 0}, clear_frame(100, tags), 14});
  const auto outcomes = in.bench.run();
  CHECK(outcomes[0].verdict == Verdict::macsec_unknown_sci);
  CHECK(outcomes[1].verdict == Verdict::ok);
  CHECK(outcomes[1].packet == clear_frame(100, tags));
  CHECK(is_drop(outcomes[2].verdict));
}
