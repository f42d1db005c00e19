// The MACsec blocks in the stream: cycles per frame, one SA at every distance, windows, leases and slots that change
// hands. LINECRYPT_LONG=1: cycles of every size from 60 to 9216.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/firmware_hls/macsec/fixture.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware_test;

namespace {

constexpr abi::Block out_block = abi::Block::macsec_protect;
constexpr abi::Block in_block = abi::Block::macsec_validate;

std::uint64_t beats(std::size_t bytes) {
  return (bytes + 63) / 64;
}

std::vector<std::string> texts(const std::vector<EventWord>& events) {
  static const char* names[] = {"lease_low",     "lease_exhausted", "soft_lifetime",
                                "hard_lifetime", "pn_threshold",    "number_exhausted"};
  std::vector<std::string> out;
  for (const EventWord& one : events) out.push_back(std::string(names[one.kind]) + " of " + std::to_string(one.index));
  std::sort(out.begin(), out.end());
  return out;
}

// Frames as the transmitter of `shape` sends them, numbered from `first` on.
std::vector<Bytes> numbered(const MacsecShape& shape, std::uint64_t first, std::size_t count, std::size_t size = 62) {
  MacsecOutPair out;
  const SaId id = out.install(make_macsec(shape, Direction::egress), {first, first + count});
  for (std::size_t i = 0; i < count; ++i) out.bench.packet({id, clear_frame(size, shape.tags), 14});
  std::vector<Bytes> frames;
  for (const Outcome& one : out.bench.run()) {
    REQUIRE(one.verdict == Verdict::ok);
    frames.push_back(one.packet);
  }
  return frames;
}

}  // namespace

TEST_CASE("Frames of different keys follow each other without a cycle between them, both ways") {
  const bool encrypt = GENERATE(true, false);
  MacsecOutPair out;
  MacsecInPair in;
  std::vector<SaId> egress;
  std::vector<SaId> ingress;
  for (int i = 0; i < 4; ++i) {
    const MacsecShape shape{static_cast<CipherSuite>(i), SciEncoding::explicit_sci, encrypt, 0};
    egress.push_back(out.install(make_macsec(shape, Direction::egress)));
    ingress.push_back(in.install(make_macsec(shape, Direction::ingress)));
  }
  std::vector<std::size_t> sizes;
  if (test::long_form()) {
    for (std::size_t size = 60; size <= 9216; ++size) sizes.push_back(size);
  } else {
    for (std::size_t size = 60; size < 200; size += 5) sizes.push_back(size);
    for (const std::size_t size : {64U, 76U, 128U, 594U, 1280U, 1518U, 4096U, 9216U}) sizes.push_back(size);
  }
  for (const std::size_t size : sizes) {
    INFO(size << " bytes");
    const std::uint32_t some = test::long_form() ? 4 : size > 2000 ? 8 : 24;
    std::uint64_t spans[2][2] = {};
    std::size_t sealed_size = 0;
    for (const std::uint32_t many : {0U, 1U}) {
      out.bench.forget_beats();
      for (std::uint32_t i = 0; i < some * (many + 1); ++i) out.bench.packet({egress[i % 4], clear_frame(size), 14});
      const auto sealed = out.bench.run();
      spans[0][many] = out.bench.last_beat() - out.bench.first_beat();
      in.bench.forget_beats();
      for (std::uint32_t i = 0; i < sealed.size(); ++i) in.bench.packet({ingress[i % 4], sealed[i].packet, 14});
      for (const Outcome& one : in.bench.run()) REQUIRE(one.verdict == Verdict::ok);
      spans[1][many] = in.bench.last_beat() - in.bench.first_beat();
      sealed_size = sealed[0].packet.size();
    }
    CHECK(spans[0][1] - spans[0][0] == some * beats(sealed_size));
    CHECK(spans[1][1] - spans[1][0] == some * beats(sealed_size));
  }
}

TEST_CASE("Frames reordered as deep as the bitmap, with copies, are accepted as ReplayWindow says") {
  const std::uint32_t window = GENERATE(64U, 4096U);
  const std::uint64_t first = GENERATE(std::uint64_t{1}, (std::uint64_t{1} << 32U) - 3000);
  const MacsecShape shape;
  MacsecSa sa = make_macsec(shape, Direction::ingress);
  sa.secy.replay_window = window;
  sa.secy.duplicate_bitmap = window;
  MacsecInPair in;
  const SaId id = in.install(sa, {}, first - 1);
  const std::size_t count = 2 * std::size_t{window} + 300;
  const auto frames = numbered(shape, first, count);
  std::mt19937_64 random(window + first);
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < count; ++i) {
    order.emplace_back(i + random() % (window + 40), i);
    if (random() % 5 == 0) order.emplace_back(i + random() % (2 * std::uint64_t{window}), i);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [at, i] : order) in.bench.packet({id, frames[i], 14});
  const auto outcomes = in.bench.run();
  std::vector<std::uint64_t> words(ReplayWindow::words_for(window));
  ReplayWindow oracle;
  oracle.attach(words.data(), window);
  oracle.reset_fully_marked(first - 1);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::uint64_t number = first + order[k].second;
    const ReplayCheck check = oracle.check(number);
    INFO("frame " << k << ", number " << number << ", top " << oracle.top());
    REQUIRE((outcomes[k].verdict == Verdict::ok) == (check == ReplayCheck::fresh));
    if (check == ReplayCheck::fresh) oracle.accept(number);
  }
  CHECK(in.bench.read(id, in_block).next_number == oracle.top());
}

TEST_CASE("Window words that a removed SA has left do not count for the next one in its MACsec slot") {
  const MacsecShape shape;
  MacsecSa sa = make_macsec(shape, Direction::ingress);
  constexpr std::uint64_t count = 4096;
  sa.secy.replay_window = sa.secy.duplicate_bitmap = count;
  Bench<firmware::MacsecValidate<bench_slots>> bench(abi::Operation::macsec_validate);
  auto frames = numbered(shape, 1, count);
  const auto send = [&](SaId id) {
    for (const Bytes& frame : frames) bench.packet({id, frame, 14});
    std::map<Verdict, std::size_t> seen;
    for (const Outcome& one : bench.run()) ++seen[one.verdict];
    return seen;
  };
  const std::map<Verdict, std::size_t> all{{Verdict::ok, count}};
  bench.commands(card::install_commands(SaId{5, 0xffffffffU}, sa, {}, 0));
  REQUIRE(send({5, 0xffffffffU}) == all);
  bench.command(card::remove_command({5, 0xffffffffU}, in_block));
  bench.commands(card::install_commands(SaId{5, 1}, sa, {}, 0));
  std::reverse(frames.begin(), frames.end());  // inside the window all but the first
  CHECK(send({5, 1}) == all);
  CHECK(send({5, 1}).count(Verdict::ok) == 0);
  REQUIRE_FALSE(bench.refused());
}

TEST_CASE("Of two copies in flight one is accepted under strict order too") {
  const std::size_t apart = GENERATE(0U, 1U, 2U, 3U, 5U, 30U);
  MacsecInPair in;
  const SaId id = in.install(make_macsec({}, Direction::ingress));
  const auto frames = numbered({}, 1, 64);
  std::vector<Asked> asked;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    asked.push_back({id, frames[i], 14});
    if (i >= apart) asked.push_back({id, frames[i - apart], 14});
  }
  std::size_t accepted = 0;
  for (const Outcome& one : in.compare(asked)) accepted += one.verdict == Verdict::ok ? 1 : 0;
  CHECK(accepted == frames.size());
}

TEST_CASE("The PN threshold, the lease and the number space raise the software engine's events") {
  const bool xpn = GENERATE(false, true);
  MacsecShape shape;
  shape.suite = xpn ? CipherSuite::gcm_aes_xpn_128 : CipherSuite::gcm_aes_128;
  MacsecSa sa = make_macsec(shape, Direction::egress);
  const std::uint64_t first = (std::uint64_t{1} << 32U) - 20;
  sa.secy.pn_soft_limit = first + 6;
  MacsecOutPair out;
  MacsecInPair in;
  const SaId id = out.install(sa, {first, xpn ? first + 30 : first + 20});
  const SaId ingress = in.install(make_macsec(shape, Direction::ingress), {}, first - 1);
  std::vector<Asked> coming;
  std::set<std::string> told;
  std::set<std::string> expected;
  for (const std::size_t count : {3U, 5U, 8U, 10U, 30U}) {
    for (const Outcome& one : out.compare(std::vector<Asked>(count, Asked{id, clear_frame(100), 14})))
      if (one.verdict == Verdict::ok) coming.push_back({ingress, one.packet, 14});
    // What goes on is told again only after a while; software tells it again once it was taken.
    for (const std::string& one : texts(out.bench.events())) told.insert(one);
    for (const std::string& one : out.oracle.rig().events()) expected.insert(one);
    CHECK(told == expected);
  }
  CHECK(told.size() == 3);
  CHECK(coming.size() == (xpn ? 30 : 20));
  for (const Outcome& one : in.compare(coming)) CHECK(one.verdict == Verdict::ok);
}

TEST_CASE("The lowest acceptable PN is raised in order with the frames and never goes back") {
  MacsecSa sa = make_macsec({}, Direction::ingress);
  sa.secy.replay_window = 1000;
  MacsecInPair in;
  const SaId id = in.install(sa);
  const auto frames = numbered({}, 1, 30);
  const auto raise = [&](std::uint64_t lowest) {
    in.bench.command(card::raise_lowest_command(id, in_block, lowest));
    REQUIRE(in.oracle.rig().engine().update(id, RaiseLowestPn{lowest}).ok());
  };
  in.compare({id, frames[20], 14});
  raise(11);
  for (std::size_t i = 5; i < 15; ++i) {
    const Outcome one = in.compare({id, frames[i], 14});
    CHECK(one.verdict == (i < 10 ? Verdict::replay_late : Verdict::ok));
  }
  raise(2);
  CHECK(in.compare({id, frames[4], 14}).verdict == Verdict::replay_late);
}

TEST_CASE("Numbers at the accept ceiling are refused until it is raised") {
  MacsecSa sa = make_macsec({}, Direction::ingress);
  Bench<firmware::MacsecValidate<bench_slots>> bench(abi::Operation::macsec_validate);
  const SaId id{1, 1};
  bench.commands(card::install_commands(id, sa, {}, 0, 11));
  const auto frames = numbered({}, 1, 40);
  for (std::size_t i = 0; i < 20; ++i) bench.packet({id, frames[i], 14});
  auto outcomes = bench.run();
  for (std::size_t i = 0; i < 20; ++i) CHECK(outcomes[i].verdict == (i < 10 ? Verdict::ok : Verdict::lease_exhausted));
  CHECK(texts(bench.events()) == std::vector<std::string>{"lease_exhausted of 1", "lease_low of 1"});
  bench.command(card::raise_ceiling_command(id, in_block, 31));
  for (std::size_t i = 20; i < 40; ++i) bench.packet({id, frames[i], 14});
  outcomes = bench.run();
  for (std::size_t i = 0; i < 20; ++i) CHECK(outcomes[i].verdict == (i < 10 ? Verdict::ok : Verdict::lease_exhausted));
  CHECK(bench.read(id, in_block).next_number == 30);
  CHECK(bench.read(id, in_block).lease_end == 31);
}

TEST_CASE("A MACsec slot that changes hands at any cycle never pairs one SA's number with another's key") {
  MacsecShape small;
  small.suite = CipherSuite::gcm_aes_128;
  const MacsecSa first = make_macsec({}, Direction::egress);
  const MacsecSa second = make_macsec(small, Direction::egress);
  Oracle opener;
  const SaId open_first = opener.install(Sa(make_macsec({}, Direction::ingress)), {}, 0);
  const SaId open_second = opener.install(Sa(make_macsec(small, Direction::ingress)), {}, 0);
  const SaId first_id{3, 1};
  const SaId second_id{3, 2};
  const Bytes frame = clear_frame(46);
  Bench<firmware::MacsecProtect<bench_slots>> bench(abi::Operation::macsec_protect);
  std::set<std::uint64_t> numbers[2];
  std::uint64_t lease = 1;
  const std::uint64_t rounds = 3 * firmware::memory_distance + 12;
  for (std::uint64_t gap = 0; gap < rounds; ++gap) {
    std::uint64_t at = bench.now();
    const auto packets = [&] {
      for (int i = 0; i < 2; ++i) {
        bench.packet({first_id, frame, 14, at});
        bench.packet({second_id, frame, 14, at});
      }
    };
    const auto commands = [&](std::span<const abi::Command> list) {
      for (const abi::Command& one : list) {
        bench.command(one);
        at += gap;
        packets();
      }
    };
    const abi::Command remove = card::remove_command(first_id, out_block);
    const auto one = card::install_commands(first_id, first, {lease, lease + 1000}, 0);
    const auto two = card::install_commands(second_id, second, {lease, lease + 1000}, 0);
    lease += 1000;
    commands(one.commands());
    commands({&remove, 1});
    commands(two.commands());
    commands({&remove, 1});
    const auto outcomes = bench.run();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].verdict != Verdict::ok) {
        REQUIRE(outcomes[i].verdict == Verdict::stale_sa);
        continue;
      }
      REQUIRE(numbers[i % 2].insert(outcomes[i].number).second);
      const Outcome opened =
          opener.run(Operation::macsec_validate, {i % 2 == 0 ? open_first : open_second, outcomes[i].packet, 14});
      REQUIRE(name(opened.verdict) == "ok");
      REQUIRE(opened.packet == frame);
    }
    REQUIRE_FALSE(bench.refused());
  }
  CHECK(numbers[0].size() == 2 * rounds);
  CHECK(numbers[1].size() == 2 * rounds);
}
