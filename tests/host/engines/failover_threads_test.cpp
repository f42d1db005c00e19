// Workers and the control thread at once: SAs move while frames flow. Run under ThreadSanitizer by the tsan preset.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/host/engines/failover_rig.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// One worker's quiescent states: the control thread waits until it has passed one, or has ended.
struct Quiescent {
  std::atomic<std::uint64_t> rounds{0};
  std::atomic<bool> online{false};
  Reclamation reclamation() {
    return {
        this, [](void* self) {
          auto& state = *static_cast<Quiescent*>(self);
          const std::uint64_t now = state.rounds.load(std::memory_order_acquire);
          while (state.online.load(std::memory_order_acquire) && state.rounds.load(std::memory_order_acquire) < now + 2)
            std::this_thread::yield();
        }};
  }
};

}  // namespace

TEST_CASE("A worker under load and a control thread that loses, moves and brings back at any moment") {
  const bool delaying = GENERATE(false, true);
  CAPTURE(delaying);
  Quiescent quiescent;
  RigOptions options;
  options.seed = 5;
  options.plan.drop_event = 50'000;
  options.plan.lose_in_control = 10'000;
  options.primary_late = 3;
  options.delaying_secondary = delaying;
  options.failover = short_times();
  options.failover.hold_limit_ns = 2'000 * millisecond;
  options.reclamation = quiescent.reclamation();
  FailoverRig rig(std::move(options));
  rig.install_all();

  // Worker: traffic, and the judge.
  std::atomic<bool> stop{false};
  quiescent.online = true;
  std::thread worker([&] {
    while (!stop.load(std::memory_order_relaxed) || rig.in_engine != 0 || !rig.to_submit.empty()) {
      if (!stop.load(std::memory_order_relaxed)) random_traffic(rig);
      rig.work();
      quiescent.rounds.fetch_add(1, std::memory_order_release);
      std::this_thread::yield();
    }
    quiescent.online.store(false, std::memory_order_release);
  });
  // Control: time, leases, losses.
  std::mt19937_64 random(9);
  const auto began = std::chrono::steady_clock::now();
  const auto longer_than = [began](int ms) {
    return std::chrono::steady_clock::now() - began > std::chrono::milliseconds(ms);
  };
  // As long as a slow machine needs for some losses.
  while (!longer_than(30'000) && (rig.primary->counts().losses < 5 || !longer_than(long_form() ? 20'000 : 400))) {
    rig.service();
    rig.now_ns += millisecond / 4;
    if (random() % 100 == 0) rig.primary->lose("by the control thread");
    if (random() % 300 == 0) rig.primary->hang(20, random() % 2 == 0);
    std::this_thread::yield();
  }
  stop = true;
  while (quiescent.online.load(std::memory_order_acquire)) {
    rig.service();
    rig.now_ns += millisecond / 4;
    std::this_thread::yield();
  }
  worker.join();
  CHECK(rig.judgement.sum() == 0);
  CHECK(rig.ledger.twice() == 0);
  CHECK(rig.verdicts[Verdict::ok] > 200);
  CHECK(rig.primary->counts().losses >= 5);
  CHECK(rig.settle());
  CHECK(rig.engine->status().use == engines::PrimaryUse::used);
}
