// Packet numbers on ingress: the replay rules of 10.6.2 and 10.6.4 against a simple oracle, and the recovery of 64-bit
// numbers.
#include <set>
#include <unordered_set>

#include "host/values/packet_number.hpp"
#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;

namespace {

// The standard's own variables, nextPN and lowestPN, moved as its text says, and a set of all numbers seen.
class Oracle {
 public:
  Oracle(std::uint64_t lowest, std::uint64_t window, bool bitmap)
      : next_(lowest), lowest_(lowest), window_(window), bitmap_(bitmap) {}

  [[nodiscard]] ReplayCheck check(std::uint64_t pn) const {
    if (pn < lowest_) return ReplayCheck::late;
    return bitmap_ && seen_.count(pn) != 0 ? ReplayCheck::duplicate : ReplayCheck::fresh;
  }
  void accept(std::uint64_t pn) {
    seen_.insert(pn);
    if (pn < next_) return;
    next_ = pn + 1;
    lowest_ = std::max(lowest_, next_ > window_ ? next_ - window_ : 0);
  }
  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::uint64_t lowest() const { return lowest_; }

 private:
  std::uint64_t next_;
  std::uint64_t lowest_;
  std::uint64_t window_;
  bool bitmap_;
  std::unordered_set<std::uint64_t> seen_;
};

// The next number of a disorderly network: mostly near the top, at times a jump ahead, far back, or seen before.
std::uint64_t disorderly(Random& random, std::uint64_t next, std::uint64_t window) {
  const std::uint64_t span = 2 * window + 8;
  switch (random.below(16)) {
    case 0:
      return next + random.below(span);
    case 1:
      return next > 10 * span ? next - random.below(10 * span) : 1;
    case 2:
    case 3:
    case 4:
      return next > span ? next - random.below(span) : 1;
    default:
      return next;
  }
}

struct Setting {
  std::uint64_t window;
  std::uint32_t bitmap;
};

}  // namespace

TEST_CASE("a million steps in random order agree with a simple oracle") {
  const Setting setting = GENERATE(Setting{0, 0}, Setting{1, 0}, Setting{64, 0}, Setting{1000, 0}, Setting{0, 64},
                                   Setting{64, 64}, Setting{100, 128}, Setting{4096, 4096});
  const std::uint64_t start = GENERATE(std::uint64_t{1}, (std::uint64_t{1} << 32U) - 500);
  const int steps = (long_form() ? 10000000 : 1000000) / 16;  // sixteen combinations
  std::vector<std::uint64_t> words(ReplayWindow::words_for(setting.bitmap) + 1);
  ReplayWindow bitmap;
  bitmap.attach(words.data(), setting.bitmap);
  bitmap.reset_fully_marked(0);
  Oracle oracle(start, setting.window, setting.bitmap != 0);
  Random random(setting.window * 77 + setting.bitmap + start);
  int wrong = 0;
  int accepted = 0;
  for (int i = 0; i < steps; ++i) {
    const std::uint64_t pn = disorderly(random, oracle.next(), setting.window);
    const ReceiveNumbers numbers{bitmap.top(), start, setting.window};
    const ReplayCheck verdict = check_replay(numbers, bitmap, pn);
    if (verdict != oracle.check(pn)) ++wrong;
    if (numbers.lowest_acceptable() != oracle.lowest()) ++wrong;
    if (verdict != ReplayCheck::fresh) continue;
    ++accepted;
    bitmap.accept(pn);
    oracle.accept(pn);
  }
  INFO("window " << setting.window << ", bitmap " << setting.bitmap << ", start " << start);
  CHECK(wrong == 0);
  CHECK(accepted > steps / 4);
}

TEST_CASE("the last number of the 64-bit space does not open the window again") {
  const std::uint64_t last = ~std::uint64_t{0};
  for (const std::uint64_t window : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100}}) {
    const ReceiveNumbers numbers{last, 1, window};
    CHECK(numbers.below_lowest(1));
    CHECK(numbers.below_lowest(last - window));
    CHECK(numbers.below_lowest(last) == (window == 0));
  }
}

TEST_CASE("a 64-bit number is recovered from 32 bits up to 2^31 ahead of the lowest acceptable one") {
  Random random(3);
  int wrong = 0;
  for (int i = 0; i < 1000000; ++i) {
    const std::uint64_t lowest = 1 + random() % (std::uint64_t{1} << (20 + random.below(43)));
    const std::uint64_t pn = lowest + random.below(std::uint64_t{1} << 31U);
    if (recover_pn(lowest, static_cast<std::uint32_t>(pn)) != pn) ++wrong;
  }
  CHECK(wrong == 0);
  // Both sides of a lap, written out (10.6.2).
  CHECK(recover_pn(0x00000000fffffff0U, 0xffffffffU) == 0x00000000ffffffffU);
  CHECK(recover_pn(0x00000000fffffff0U, 0x00000000U) == 0x0000000100000000U);
  CHECK(recover_pn(0x0000000100000005U, 0x00000004U) == 0x0000000100000004U);  // late, not a lap ahead
  CHECK(recover_pn(0x000000017fffffffU, 0x80000000U) == 0x0000000180000000U);
}

TEST_CASE("frames in random order through the engine agree with the oracle") {
  const EngineKind kind = every_engine();
  const Setting setting = GENERATE(Setting{0, 0}, Setting{40, 0}, Setting{0, 64}, Setting{40, 64}, Setting{256, 256});
  const bool xpn = GENERATE(false, true);
  const std::uint64_t start = xpn ? (std::uint64_t{7} << 32U) - 200 : 1;
  Rig rig(kind);
  Pair pair = Pair(xpn ? CipherSuite::gcm_aes_xpn_128 : CipherSuite::gcm_aes_128).with([&](MacsecSecY& secy) {
    secy.replay_window = static_cast<std::uint32_t>(setting.window);
    secy.duplicate_bitmap = setting.bitmap;
  });
  pair.receive.lowest_pn = start;
  // Every frame of the space, made once.
  const SaId transmit = rig.add(pair.transmit, start);
  const std::uint32_t frames = 1500;
  std::vector<Bytes> all;
  for (std::uint32_t i = 0; i < frames; ++i) all.push_back(protected_frame(rig, transmit, clear_frame(50)));
  const SaId receive = rig.add(pair.receive);
  Oracle oracle(start, setting.window, setting.bitmap != 0);
  Random random(setting.window + 5);
  const int steps = long_form() ? 100000 : 2000;
  for (int i = 0; i < steps; ++i) {
    const std::uint64_t pn = std::clamp(disorderly(random, oracle.next(), setting.window), start, start + frames - 1);
    Frame frame(all[pn - start]);
    const Verdict verdict = rig.validate(receive, frame);
    const ReplayCheck expected = oracle.check(pn);
    INFO(kind.name << " step " << i << " pn " << pn << " next " << oracle.next() << ": " << name(verdict));
    Verdict wanted = Verdict::ok;
    if (expected == ReplayCheck::late) wanted = Verdict::replay_late;
    if (expected == ReplayCheck::duplicate) wanted = Verdict::replay_duplicate;
    // A late frame of the lap before is taken for one nearly a lap ahead (10.6.2): its ICV refuses it.
    if (pn < oracle.lowest() && pn >> 32U != oracle.lowest() >> 32U) wanted = Verdict::macsec_not_valid;
    if (verdict != wanted) FAIL();
    if (verdict == Verdict::ok) oracle.accept(pn);
  }
  CHECK(rig.counters(receive).packets.get() > 0);
}

TEST_CASE("without a bitmap the standard accepts a number twice within its window; with one it does not") {
  const std::uint32_t bitmap = GENERATE(0U, 64U);
  Rig rig(every_engine());
  const Pair pair = Pair().with([&](MacsecSecY& secy) {
    secy.replay_window = 10;
    secy.duplicate_bitmap = bitmap;
  });
  const Bytes bytes = protected_frame(rig, rig.add(pair.transmit), clear_frame(60));
  const SaId receive = rig.add(pair.receive);
  Frame first(bytes);
  Frame second(bytes);
  CHECK(rig.validate(receive, first) == Verdict::ok);
  CHECK(rig.validate(receive, second) == (bitmap == 0 ? Verdict::ok : Verdict::replay_duplicate));
  CHECK(rig.counters(receive).duplicate.get() == (bitmap == 0 ? 0 : 1));
}

TEST_CASE("one number twice in one burst is accepted once and leaves no clear text of the other") {
  const std::uint32_t bitmap = GENERATE(0U, 64U);
  Rig rig(GENERATE(fast, openssl));
  const Pair pair = Pair().with([&](MacsecSecY& secy) { secy.duplicate_bitmap = bitmap; });
  const Bytes bytes = protected_frame(rig, rig.add(pair.transmit), clear_frame(60));
  const SaId receive = rig.add(pair.receive);
  Frame first(bytes);
  Frame second(bytes);
  std::vector<Job*> jobs;
  for (Frame* frame : {&first, &second}) {
    frame->job.stages[0] = {receive, Operation::macsec_validate};
    jobs.push_back(&frame->job);
  }
  rig.run(jobs);
  CHECK(first.job.verdict == Verdict::ok);
  CHECK(second.job.verdict == Verdict::replay_late);
  CHECK(second.zero_from(12 + 16));
}

TEST_CASE("with replay protection off a late frame is delivered and counted as delayed") {
  Rig rig(every_engine());
  const Pair pair = Pair().with([](MacsecSecY& secy) {
    secy.replay_protect = false;
    secy.replay_window = 2;
  });
  const SaId transmit = rig.add(pair.transmit);
  std::vector<Bytes> frames;
  for (int i = 0; i < 10; ++i) frames.push_back(protected_frame(rig, transmit, clear_frame(60)));
  const SaId receive = rig.add(pair.receive);
  for (const int i : {9, 8, 7, 0, 0}) {
    Frame frame(frames[static_cast<std::size_t>(i)]);
    CHECK(rig.validate(receive, frame) == Verdict::ok);
    CHECK(frame.bytes() == clear_frame(60));
  }
  CHECK(rig.counters(receive).packets.get() == 5);
  CHECK(rig.counters(receive).delayed.get() == 3);  // next PN is 11, so 9 and 10 are not delayed
  CHECK(rig.slots()[receive.index].window.top() == 10);
}

TEST_CASE("extended numbers cross 2^32 in both directions of time") {
  const EngineKind kind = every_engine();
  const CipherSuite suite = GENERATE(CipherSuite::gcm_aes_xpn_128, CipherSuite::gcm_aes_xpn_256);
  const std::uint64_t lap = GENERATE(std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{0xffffffff}) << 32U;
  Rig rig(kind);
  Pair pair = Pair(suite).with([](MacsecSecY& secy) { secy.replay_window = 100; });
  const SaId transmit = rig.add(pair.transmit, lap - 50);
  std::vector<Bytes> frames;
  for (int i = 0; i < 100; ++i) frames.push_back(protected_frame(rig, transmit, clear_frame(60)));
  // The frame at the lap itself has PN 0 on the wire, and that is right.
  REQUIRE(wire::load32(frames[50].data() + 16) == 0);
  // Ahead of the lap first, then back behind it, from a window that spans it.
  pair.receive.lowest_pn = lap - 60;
  const SaId receive = rig.add(pair.receive);
  for (const std::size_t i : {0U, 49U, 50U, 51U, 99U, 48U, 1U, 60U}) {
    Frame frame(frames[i]);
    INFO(kind.name << " " << i);
    CHECK(rig.validate(receive, frame) == Verdict::ok);
    CHECK(frame.job.number == lap - 50 + i);
    CHECK(frame.bytes() == clear_frame(60));
  }
}

TEST_CASE("a receiver that starts beyond 2^32 takes up the peer there and refuses what is older") {
  const EngineKind kind = every_engine();
  Rig rig(kind);
  const std::uint64_t now = (std::uint64_t{5} << 32U) + 1000;
  Pair pair = Pair(CipherSuite::gcm_aes_xpn_256).with([](MacsecSecY& secy) { secy.replay_window = 64; });
  const SaId transmit = rig.add(pair.transmit, now);
  std::vector<Bytes> frames;
  for (int i = 0; i < 40; ++i) frames.push_back(protected_frame(rig, transmit, clear_frame(60)));

  SECTION("by the lowest PN of its installation") {
    pair.receive.lowest_pn = now + 10;
    const SaId receive = rig.add(pair.receive);
    Frame old(frames[9]);
    CHECK(rig.validate(receive, old) == Verdict::replay_late);
    Frame fresh(frames[10]);
    CHECK(rig.validate(receive, fresh) == Verdict::ok);
    CHECK(fresh.job.number == now + 10);
  }
  SECTION("by the mark of the journal, below which everything counts as seen") {
    const SaId receive = rig.add(pair.receive, 1, now + 19);
    Frame old(frames[19]);
    CHECK(rig.validate(receive, old) == Verdict::replay_late);
    Frame fresh(frames[20]);
    CHECK(rig.validate(receive, fresh) == Verdict::ok);
  }
  SECTION("by the KaY, while it runs; never downwards") {
    pair.receive.lowest_pn = now;
    const SaId receive = rig.add(pair.receive);
    REQUIRE(rig.engine().update(receive, RaiseLowestPn{now + 30}).ok());
    REQUIRE(rig.engine().update(receive, RaiseLowestPn{now + 5}).ok());
    Frame old(frames[29]);
    CHECK(rig.validate(receive, old) == Verdict::replay_late);
    Frame fresh(frames[30]);
    CHECK(rig.validate(receive, fresh) == Verdict::ok);
  }
}
