// The card engine under a failover engine: what must never happen when the card is lost, stalls or lies under traffic,
// by the judge of tests/host/engines. LINECRYPT_LONG=1 loses it twenty times as often.
#include "tests/driver/card/card_health.hpp"
#include "tests/driver/card/engine/rig.hpp"
#include "tests/host/engines/failover_rig.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using namespace linecrypt::card_test;
using engines::PrimaryUse;

namespace {

struct Bench {
  explicit Bench(std::uint64_t seed) {
    RigOptions options;
    options.seed = seed;
    options.lease_size = 512;
    options.failover = short_times();
    options.failover.hold_limit_ns = 3'000 * millisecond;  // a busy machine is slow
    options.failover.test_after_recovery = true;
    options.make_primary = [this](engines::EngineHealth*& of_card) -> std::unique_ptr<Engine> {
      card::CardOptions quick = quick_options();
      quick.progress_timeout_ms = 60;
      auto made = card::make_look_aside_engine(quick, card.opener());
      INFO((made.ok() ? "" : made.error().message));
      REQUIRE(made.ok());
      health.card = made->get();
      of_card = &health;
      return std::move(*made);
    };
    rig = std::make_unique<FailoverRig>(std::move(options));
    rig->install_all();
  }
  ~Bench() {
    no_faults();
    rig.reset();
    // A thread that was left behind lets go of the card's memory when it is back.
    for (int i = 0; i < 2000 && card.ports_open != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void no_faults() {
    card.faults.lost = card.faults.stalled = false;
    card.faults.hang_to_card = card.faults.hang_from_card = false;
    card.faults.cut_transfers = card.faults.fail_transfers = card.faults.wrong_cookies = card.faults.wrong_epochs = 0;
  }
  static constexpr std::uint64_t fault_kinds = 9;
  static constexpr bool cuts(std::uint64_t kind) { return kind == 6 || kind == 7; }
  void fault(std::uint64_t kind) {
    switch (kind) {
      case 0:
        card.faults.stalled = true;
        break;
      case 1:
        card.faults.hang_to_card = true;
        break;
      case 2:
        card.faults.hang_from_card = true;
        break;
      case 3:
        card.faults.fail_transfers = 1;
        break;
      case 4:
        card.faults.wrong_cookies = 1;
        break;
      case 5:
        card.faults.wrong_epochs = 1;
        break;
      case 6:  // ends anywhere, and says that it is whole
        card.faults.cut_to = ~std::size_t{0};
        card.faults.cut_from = 1 + rig->random() % 4096;
        card.faults.cut_transfers = 1;
        break;
      case 7:  // leaves 64 bytes out
        card.faults.cut_from = 64 * (rig->random() % 16);
        card.faults.cut_to = card.faults.cut_from + 64;
        card.faults.cut_transfers = 1;
        break;
      default:
        card.faults.lost = true;
        break;
    }
  }
  // Traffic, leases, and time as it is. False: not within `seconds`.
  template <typename Until>
  bool run(int seconds, Until until, bool traffic = true) {
    const auto began = std::chrono::steady_clock::now();
    auto last = began;
    while (!until()) {
      const auto now = std::chrono::steady_clock::now();
      if (now - began > std::chrono::seconds(seconds)) return false;
      rig->now_ns += static_cast<std::uint64_t>(std::chrono::nanoseconds(now - last).count());
      last = now;
      if (traffic) random_traffic(*rig);
      rig->work();
      rig->service();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
  }

  FakeCard card;
  CardHealth health;
  std::unique_ptr<FailoverRig> rig;
};

}  // namespace

TEST_CASE("A card that is lost, stalls or lies under traffic: software goes on, nothing twice, and back to the card") {
  Bench bench(3);
  FailoverRig& rig = *bench.rig;
  REQUIRE(rig.engine->status().sas_primary == sa_total - 1);
  const std::uint64_t losses = Bench::fault_kinds * (long_form() ? 20 : 1);
  std::uint64_t seen = 0;
  for (std::uint64_t loss = 0; loss < losses; ++loss) {
    CAPTURE(loss % Bench::fault_kinds, rig.messages.empty() ? std::string() : rig.messages.back());
    // 1. In use.
    REQUIRE(bench.run(20, [&] { return rig.engine->status().sas_primary == sa_total - 1 && !rig.engine->moving(); }));
    const std::uint64_t before = rig.verdicts[Verdict::ok];
    REQUIRE(bench.run(20, [&] { return rig.verdicts[Verdict::ok] > before + 20; }));
    // 2. Lost, and known to be.
    const std::uint64_t kind = loss % Bench::fault_kinds;
    bench.fault(kind);
    REQUIRE(bench.run(20, [&] {
      // What was cut off may be bytes that nobody wrote: then another transfer is cut.
      if (Bench::cuts(kind) && bench.card.faults.cut_transfers == 0) bench.fault(kind);
      return rig.engine->status().failovers > seen;
    }));
    bench.no_faults();
    // 3. Software goes on.
    const std::uint64_t lost = rig.verdicts[Verdict::ok];
    REQUIRE(bench.run(20, [&] { return rig.verdicts[Verdict::ok] > lost + 20; }));
    seen = rig.engine->status().failovers;
  }
  CHECK(bench.run(
      20, [&] { return rig.in_engine == 0 && rig.to_submit.empty() && rig.engine->status().use == PrimaryUse::used; },
      false));
  CHECK(rig.judgement.returned_twice == 0);
  CHECK(rig.judgement.out_of_order == 0);
  CHECK(rig.judgement.clear_bytes == 0);
  CHECK(rig.judgement.wrong_frames == 0);
  CHECK(rig.judgement.delivered_twice == 0);
  CHECK(rig.judgement.fresh_refused == 0);
  CHECK(rig.judgement.touched == 0);
  CHECK(rig.ledger.twice() == 0);
  CHECK(rig.engine->status().jobs_redone > 0);
  CHECK(rig.engine->status().returns >= losses - 1);
}
