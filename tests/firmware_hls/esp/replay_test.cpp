// Anti-replay on the card: the window is the software engine's, number for number.
#include <algorithm>
#include <map>
#include <random>

#include "tests/firmware_hls/esp/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

// Packets as the peer of `sa` sends them, numbered from `first` on.
std::vector<Bytes> numbered(const EspSa& sa, std::uint64_t first, std::size_t count) {
  Bytes text = test::sized_packet(Family::ipv4, 22);
  text = text + Bytes{0, 4};
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(seal_esp(sa, first + i, text));
  return out;
}

// A stream of `count` packets of which each is up to `deep` places late, and one in five comes again.
std::vector<std::size_t> reordered(std::size_t count, std::uint64_t deep, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < count; ++i) {
    order.emplace_back(i + random() % (deep + 40), i);
    if (random() % 5 == 0) order.emplace_back(i + random() % (2 * deep), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::size_t> out;
  for (const auto& [at, i] : order) out.push_back(i);
  return out;
}

}  // namespace

TEST_CASE("Packets reordered as deep as the window, with copies, are accepted as ReplayWindow says") {
  const bool long_form = test::long_form();
  const std::uint32_t window = GENERATE(64U, 1024U, 4096U);
  const std::uint64_t first =
      GENERATE(std::uint64_t{1}, (std::uint64_t{1} << 32U) - 3000, std::uint64_t{0x7fffffffffffff00U});
  EspSa sa = make_sa({}, Direction::ingress);
  sa.replay_window = window;
  EspInPair in;
  const SaId id = in.install(sa, {}, first - 1);
  const std::size_t count = (long_form ? 12 : 2) * std::size_t{window} + 300;
  const auto packets = numbered(sa, first, count);
  const auto order = reordered(count, window, window + first);
  for (const std::size_t i : order) in.bench.packet({id, packets[i], 0});
  const auto outcomes = in.bench.run();
  REQUIRE(outcomes.size() == order.size());

  std::vector<std::uint64_t> words(ReplayWindow::words_for(window));
  ReplayWindow oracle;
  oracle.attach(words.data(), window);
  oracle.reset_fully_marked(first - 1);
  std::map<ReplayCheck, std::size_t> seen;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::uint64_t number = first + order[k];
    const ReplayCheck check = oracle.check(number);
    ++seen[check];
    INFO("packet " << k << ", number " << number << ", top " << oracle.top());
    const Verdict verdict = outcomes[k].verdict;
    REQUIRE((verdict == Verdict::ok) == (check == ReplayCheck::fresh));
    REQUIRE((verdict == Verdict::replay_duplicate) == (check == ReplayCheck::duplicate));
    // A late number may be taken for one of the next 2^32, and then it is not authentic (RFC 4303 A2.2).
    if (check == ReplayCheck::late) REQUIRE((verdict == Verdict::replay_late || verdict == Verdict::esp_bad_icv));
    if (check == ReplayCheck::fresh) oracle.accept(number);
  }
  CHECK(seen.size() == 3);
  CHECK(in.bench.read(id, abi::Block::esp_decapsulate).next_number == oracle.top());
}

TEST_CASE("Without ESN reordered packets get the software engine's verdicts") {
  Shape shape;
  shape.esn = false;
  EspSa sa = make_sa(shape, Direction::ingress);
  sa.replay_window = 4096;
  EspInPair in;
  const std::uint64_t first = (std::uint64_t{1} << 32U) - 6000;
  const SaId id = in.install(sa, {}, first - 1);
  const auto packets = numbered(sa, first, 5999);
  std::vector<Asked> asked;
  for (const std::size_t i : reordered(packets.size(), 4096, 3)) asked.push_back({id, packets[i], 0});
  in.compare(asked);
}

TEST_CASE("One by one, reordered packets with ESN get the software engine's verdicts across 2^32") {
  EspSa sa = make_sa({}, Direction::ingress);
  sa.replay_window = 64;
  EspInPair in;
  const std::uint64_t first = (std::uint64_t{1} << 32U) - 150;
  const SaId id = in.install(sa, {}, first - 1);
  const auto packets = numbered(sa, first, 300);
  for (const std::size_t i : reordered(packets.size(), 64, 4)) in.compare({id, packets[i], 0});
}

TEST_CASE("Of two copies in flight one is accepted") {
  const std::size_t apart = GENERATE(0U, 1U, 2U, 3U, 5U, 30U);
  EspSa sa = make_sa({}, Direction::ingress);
  EspInPair in;
  const SaId id = in.install(sa);
  const auto packets = numbered(sa, 1, 64);
  std::vector<Asked> asked;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    asked.push_back({id, packets[i], 0});
    if (i >= apart) asked.push_back({id, packets[i - apart], 0});
  }
  std::size_t accepted = 0;
  for (const Outcome& one : in.compare(asked)) accepted += one.verdict == Verdict::ok ? 1 : 0;
  CHECK(accepted == packets.size());
}

TEST_CASE("Window words that a removed SA has left do not count for the next one in its slot") {
  EspSa first = make_sa({}, Direction::ingress, 1);
  EspSa second = make_sa({}, Direction::ingress, 2);
  first.replay_window = second.replay_window = 4096;
  // Every number of the window is marked in the slot's words, in as many blocks as it has.
  constexpr std::uint64_t count = 4096;
  Bench<firmware::EspDecapsulate<bench_slots>> bench(abi::Operation::esp_decapsulate);
  const std::uint32_t generation = GENERATE(1U, 0xfffffffeU, 0xffffffffU);
  const SaId before{5, generation};
  const SaId next{5, generation + 1 == 0 ? 1U : generation + 1};  // as the driver counts on
  const auto send = [&](SaId id, const std::vector<Bytes>& packets) {
    for (const Bytes& packet : packets) bench.packet({id, packet, 0});
    std::map<Verdict, std::size_t> seen;
    for (const Outcome& one : bench.run()) ++seen[one.verdict];
    return seen;
  };
  const auto all = [&](Verdict verdict) { return std::map<Verdict, std::size_t>{{verdict, count}}; };
  bench.commands(card::install_commands(before, first, {}, 0));
  REQUIRE(send(before, numbered(first, 1, count)) == all(Verdict::ok));
  bench.command(card::remove_command(before, abi::Block::esp_decapsulate));
  bench.commands(card::install_commands(next, second, {}, 0));
  // From the last number down: each but the first lies inside the window, where only its mark tells.
  auto packets = numbered(second, 1, count);
  std::reverse(packets.begin(), packets.end());
  CHECK(send(next, packets) == all(Verdict::ok));
  CHECK(send(next, packets) == all(Verdict::replay_duplicate));
  REQUIRE_FALSE(bench.refused());

  // Why a generation must not come twice: under the same one the marks count. Fresh packets are lost then; none is
  // accepted a second time.
  bench.command(card::remove_command(next, abi::Block::esp_decapsulate));
  bench.commands(card::install_commands(next, second, {}, 0));
  const auto seen = send(next, packets);
  CHECK(seen == std::map<Verdict, std::size_t>{{Verdict::ok, 1}, {Verdict::replay_duplicate, count - 1}});
}

TEST_CASE("A forged packet moves nothing") {
  EspSa sa = make_sa({}, Direction::ingress);
  EspInPair in;
  const SaId id = in.install(sa);
  auto packets = numbered(sa, 1, 200);
  std::vector<Asked> asked;
  // Far ahead, then right behind it in the pipeline the authentic ones.
  Bytes forged = packets[199];
  forged.back() ^= 1;
  for (std::size_t i = 0; i < 100; ++i) {
    asked.push_back({id, forged, 0});
    asked.push_back({id, packets[i], 0});
  }
  std::size_t accepted = 0;
  for (const Outcome& one : in.compare(asked)) {
    accepted += one.verdict == Verdict::ok ? 1 : 0;
    REQUIRE(one.flag == (one.verdict == Verdict::ok));
  }
  CHECK(accepted == 100);
  CHECK(in.bench.read(id, abi::Block::esp_decapsulate).next_number == 100);
}

TEST_CASE("Without ESN and with replay protection disabled every authentic packet is accepted") {
  Shape shape;
  shape.esn = false;
  EspSa sa = make_sa(shape, Direction::ingress);
  sa.replay_window = 0;
  sa.replay_disabled = true;
  EspInPair in;
  const SaId id = in.install(sa);
  const auto packets = numbered(sa, 10, 5);
  std::vector<Asked> asked;
  for (int again = 0; again < 3; ++again)
    for (const Bytes& packet : packets) asked.push_back({id, packet, 0});
  for (const Outcome& one : in.compare(asked)) CHECK(one.verdict == Verdict::ok);
}

TEST_CASE("After a loss of more than 2^32 packets the high half is found again, as in software") {
  EspSa sa = make_sa({}, Direction::ingress);
  EspInPair in;
  const SaId id = in.install(sa, {}, 1000);
  const std::uint64_t high = GENERATE(1U, 2U, 4U);
  const auto packets = numbered(sa, (high << 32U) + 2000, 800);
  std::size_t accepted = 0;
  for (const Bytes& packet : packets) accepted += in.compare({id, packet, 0}).verdict == Verdict::ok ? 1 : 0;
  CHECK(accepted > 300);
}
