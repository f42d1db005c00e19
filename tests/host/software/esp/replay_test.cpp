// Anti-replay and extended sequence numbers (RFC 4303 3.4.3, 2.2.1, Appendix A).
#include <random>
#include <set>

#include "host/software/esp/sequence.hpp"
#include "tests/host/software/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using software::esp::infer_number;

namespace {

constexpr std::uint64_t lap = std::uint64_t{1} << 32U;

const Bytes clear_packet = sized_packet(Family::ipv4, 64);

Bytes numbered(const EspSa& sa, std::uint64_t number) {
  return in_outer(sa, reference_seal(sa, number, with_trailer(clear_packet, 4)));
}

}  // namespace

TEST_CASE("the inferred number is the one within reach of the window", "[esp][replay]") {
  // RFC 4303 A2.2: the number with the packet's low half that lies in [bottom, bottom + 2^32), bottom being the
  // window's left edge. Said that way here, by halves in the code.
  std::mt19937_64 random(7);
  for (int i = 0; i < 200000; ++i) {
    const std::uint32_t window = 64U << (random() % 7);
    std::uint64_t top = random() >> (random() % 40);
    if (random() % 2 == 0) top = (random() % 5) * lap + (random() % 10000) - 5000;  // close to a boundary
    if (top >> 32U == 0xffffffffU || (top >> 63U != 0 && top + 10000 < 10000)) continue;
    const auto low = static_cast<std::uint32_t>(random() % 3 == 0 ? top + random() % 9000 - 4500 : random());
    const auto inferred = infer_number(low, top, window);
    const bool has_bottom = top >= window - 1;
    if (has_bottom) {
      const std::uint64_t bottom = top - window + 1;
      const std::uint64_t expected = bottom + static_cast<std::uint32_t>(low - static_cast<std::uint32_t>(bottom));
      REQUIRE(inferred.has_value());
      REQUIRE(*inferred == expected);
    } else if (inferred) {
      REQUIRE(*inferred == low);
    } else {
      REQUIRE(low >= static_cast<std::uint32_t>(top - window + 1));  // before number 0
    }
  }
  CHECK_FALSE(infer_number(0, ~std::uint64_t{0}, 64).has_value());  // behind the last number
  CHECK(*infer_number(0xffffffffU, lap + 10, 64) == lap - 1);
  CHECK(*infer_number(0, lap - 1, 64) == lap);
}

TEST_CASE("duplicates and late packets are refused before and within a burst", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines()));
  const bool esn = GENERATE(true, false);
  EspSa sa = make_sa({.esn = esn}, Direction::ingress);
  sa.replay_window = 64;
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  const auto open = [&](std::uint64_t number) { return bench.decapsulate(in, numbered(sa, number)).verdict; };
  CHECK(open(100) == Verdict::ok);
  CHECK(open(100) == Verdict::replay_duplicate);
  CHECK(open(37) == Verdict::ok);  // the window's left edge
  CHECK(open(37) == Verdict::replay_duplicate);
  // With ESN a number left of the window means the next lap, and that is not authentic.
  CHECK(open(36) == (esn ? Verdict::esp_bad_icv : Verdict::replay_late));
  CHECK(open(101) == Verdict::ok);
  CHECK(bench.slot(in).window.top() == 101);
  // Two copies in one burst: the second is found out after decryption, and zeroed.
  const auto twice = bench.burst(Operation::esp_decapsulate, in, {numbered(sa, 110), numbered(sa, 110)});
  CHECK(twice[0].verdict == Verdict::ok);
  CHECK(twice[1].verdict == Verdict::replay_duplicate);
  // An engine that took them apart refuses the second before it touches it.
  CHECK((zero_from(twice[1].memory, text_offset(sa)) || twice[1].memory == numbered(sa, 110)));
  CHECK(bench.slot(in).counters.duplicate.get() == 3);
  CHECK(bench.slot(in).counters.packets.get() == 4);
}

TEST_CASE("without a window every authentic packet is taken, any number of times", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines(true)));
  EspSa sa = make_sa({.esn = false}, Direction::ingress);
  sa.replay_window = 0;
  sa.replay_disabled = true;
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  for (const std::uint64_t number : {100, 100, 1, 0xffff})
    CHECK(bench.decapsulate(in, numbered(sa, number)).verdict == Verdict::ok);
}

TEST_CASE("ESN crosses 2^32 in order, out of order and back within the window", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines()));
  const std::uint64_t base = GENERATE(lap, 5 * lap);
  EspSa sa = make_sa({}, Direction::ingress);
  sa.replay_window = 128;
  EspBench bench(choice);
  const SaId in = bench.install(sa, 1, base - 1000);
  const auto open = [&](std::uint64_t number) { return bench.decapsulate(in, numbered(sa, number)); };
  CHECK(open(base - 5).verdict == Verdict::ok);
  CHECK(open(base + 3).verdict == Verdict::ok);
  CHECK(open(base + 3).number == base + 3);
  CHECK(open(base - 1).verdict == Verdict::ok);  // back across the boundary
  CHECK(open(base - 1).verdict == Verdict::replay_duplicate);
  CHECK(open(base).verdict == Verdict::ok);
  CHECK(open(base - 5).verdict == Verdict::replay_duplicate);
  CHECK(open(base + 200).verdict == Verdict::ok);
  CHECK(open(base - 2).verdict == Verdict::esp_bad_icv);  // left of the window now: read as the next lap
  CHECK(bench.slot(in).window.top() == base + 200);
}

TEST_CASE("egress crosses 2^32 with ESN and the peer follows", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines()));
  const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_256, EspAlgorithm::aes_gmac_128);
  const Shape shape{.algorithm = algorithm};
  EspBench bench(choice);
  const SaId out = bench.install(make_sa(shape, Direction::egress), lap - 3);
  const SaId in = bench.install(make_sa(shape, Direction::ingress), 1, lap - 10);
  for (std::uint64_t number = lap - 3; number < lap + 4; ++number) {
    const Outcome sealed = bench.encapsulate(out, clear_packet);
    REQUIRE(sealed.verdict == Verdict::ok);
    CHECK(sealed.number == number);
    // The IV too: all 64 bits of the number, or a nonce would come twice.
    const Bytes esp(sealed.packet.begin() + 20, sealed.packet.end());
    CHECK(esp == reference_seal(make_sa(shape, Direction::egress), number, with_trailer(clear_packet, 4)));
    CHECK(bench.decapsulate(in, sealed.packet).packet == clear_packet);
  }
}

TEST_CASE("without ESN numbers above 2^32 do not exist: an old packet of the same low half is refused",
          "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const EspSa sa = make_sa({.esn = false}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa, 1, 0xfffffff0);
  CHECK(bench.decapsulate(in, numbered(sa, 0xffffffff)).verdict == Verdict::ok);
  CHECK(bench.decapsulate(in, numbered(sa, 5)).verdict == Verdict::replay_late);
}

TEST_CASE("on a fresh SA a low half just below 2^32 is before number 1, and refused unopened", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const EspSa sa = make_sa({}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  for (const std::uint64_t number : {lap - 1, lap - 500, lap - 1023}) {
    const Outcome out = bench.decapsulate(in, numbered(sa, number));
    CHECK(out.verdict == Verdict::replay_late);
    CHECK(out.memory == numbered(sa, number));
  }
}

TEST_CASE("a restart beyond 2^32 resumes above its mark and refuses all before it", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines()));
  const std::uint64_t mark = GENERATE(std::uint64_t{5000}, lap - 1, lap, lap + 1, 3 * lap + 700, 9 * lap - 20);
  const EspSa sa = make_sa({}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa, 1, mark);
  for (const std::uint64_t old : {mark, mark - 1, mark - 500, mark - 1023})
    CHECK(bench.decapsulate(in, numbered(sa, old)).verdict == Verdict::replay_duplicate);
  CHECK(is_drop(bench.decapsulate(in, numbered(sa, mark - 1024)).verdict));
  CHECK(is_drop(bench.decapsulate(in, numbered(sa, 1)).verdict));
  CHECK(bench.decapsulate(in, numbered(sa, mark + 1)).verdict == Verdict::ok);
  CHECK(bench.decapsulate(in, numbered(sa, mark + 100000)).verdict == Verdict::ok);
  CHECK(bench.decapsulate(in, numbered(sa, mark + 99999)).verdict == Verdict::ok);
}

TEST_CASE("a random order over a 2^32 boundary ends as an oracle says", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines(true)));
  EspSa sa = make_sa({}, Direction::ingress);
  sa.replay_window = 64U << (choice.name[0] == 'o' ? 0 : 3);
  EspBench bench(choice);
  std::uint64_t top = 2 * lap - 1500;
  const SaId in = bench.install(sa, 1, top);
  std::set<std::uint64_t> seen;
  const std::uint64_t start = top;
  std::mt19937_64 random(11);
  for (int step = 0; step < 4000; ++step) {
    const std::uint64_t number = top + random() % 4 - (random() % 3 == 0 ? random() % (2 * sa.replay_window) : 0);
    const bool late = number + sa.replay_window <= top;
    const bool duplicate = !late && (number <= start || seen.count(number) != 0);
    const Verdict verdict = bench.decapsulate(in, numbered(sa, number)).verdict;
    if (late)
      REQUIRE(is_drop(verdict));
    else if (duplicate)
      REQUIRE(verdict == Verdict::replay_duplicate);
    else
      REQUIRE(verdict == Verdict::ok);
    if (verdict == Verdict::ok) seen.insert(number);
    if (verdict == Verdict::ok) top = std::max(top, number);
  }
  REQUIRE(top > 2 * lap);
}

TEST_CASE("after a loss of more than 2^32 packets the number is found again, at most four laps ahead",
          "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines()));
  const std::uint64_t laps = GENERATE(std::uint64_t{2}, 3, 5, 6, 7);
  const EspSa sa = make_sa({}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa, 1, lap + 5000);
  // The low half stays left of the window: inference says one lap ahead, resynchronisation tries one to four more.
  std::uint64_t number = (1 + laps) * lap + 100;
  bool found = false;
  std::uint64_t refused = 0;
  for (int i = 0; i < 1000 && !found; ++i) {
    const Outcome outcome = bench.decapsulate(in, numbered(sa, number++));
    found = outcome.verdict == Verdict::ok;
    if (!found) {
      ++refused;
      REQUIRE(outcome.verdict == Verdict::esp_bad_icv);
      REQUIRE(zero_from(outcome.memory, text_offset(sa)));
      REQUIRE(bench.slot(in).window.top() == lap + 5000);
    } else {
      CHECK(outcome.number == number - 1);
    }
  }
  CHECK(found == (laps <= 5));
  if (!found) return;
  CHECK(refused >= 16);
  CHECK(refused <= 16 + 32 + 64 + 128 + 3);
  CHECK(bench.slot(in).window.top() == number - 1);
  CHECK(bench.decapsulate(in, numbered(sa, number)).verdict == Verdict::ok);
  CHECK(bench.decapsulate(in, numbered(sa, number)).verdict == Verdict::replay_duplicate);
}

TEST_CASE("forgeries do not move the numbers, and cost an honest peer few packets", "[esp][replay]") {
  const auto choice = GENERATE(from_range(engines(true)));
  const int run = GENERATE(15, 16, 17, 40);
  const EspSa sa = make_sa({}, Direction::ingress);
  EspBench bench(choice);
  const SaId in = bench.install(sa);
  std::uint64_t lost = 0;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    for (int forged = 0; forged < run; ++forged) {
      Bytes bytes = numbered(sa, number + 5);
      bytes.back() ^= static_cast<std::uint8_t>(forged + 1);
      REQUIRE(bench.decapsulate(in, bytes).verdict == Verdict::esp_bad_icv);
    }
    if (bench.decapsulate(in, numbered(sa, number)).verdict != Verdict::ok) ++lost;
  }
  CHECK(lost <= 8);
  CHECK(bench.slot(in).window.top() >= 95);
  CHECK(bench.slot(in).window.top() <= 100);
}
