// Faults planted into a failover engine's surroundings: the judge of failover_test.cpp sees each of them.
#include <catch2/catch.hpp>

#include "tests/host/engines/failover_rig.hpp"
#include "tests/host/engines/through.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// Goes on with the rest of the old lease, too: every new one begins one lease earlier than it does.
struct OldLease : Through {
  using Through::Through;
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    const std::uint64_t size = RigOptions().lease_size;
    if (lease.begin > size) lease.begin -= size;
    return inner->install(id, sa, lease, window_top);
  }
};

// Forgets what the window had seen.
struct LostWindow : Through {
  using Through::Through;
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t /*window_top*/) override {
    return inner->install(id, sa, lease, 0);
  }
  Result<void> update(SaId id, const SaUpdate& update) override {
    return std::holds_alternative<RestoreWindow>(update) ? Result<void>() : inner->update(id, update);
  }
};

// Takes every number up to a higher top as seen.
struct WindowTooHigh : Through {
  using Through::Through;
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    return inner->install(id, sa, lease, window_top == 0 ? 0 : window_top + 3);
  }
  Result<void> update(SaId id, const SaUpdate& update) override {
    return std::holds_alternative<RestoreWindow>(update) ? Result<void>() : inner->update(id, update);
  }
};

// Gives the last job of a burst back once more.
struct Twice : Through {
  using Through::Through;
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override {
    const std::uint32_t taken = inner->submit(queue, jobs);
    if (taken != 0) again = jobs[taken - 1];
    return taken;
  }
  std::uint32_t poll(QueueId /*queue*/, std::span<Job*> done) override {
    if (again == nullptr || done.empty()) return 0;
    done[0] = std::exchange(again, nullptr);
    return 1;
  }
  Job* again = nullptr;
};

// Leaves a frame in clear now and then.
struct Clear : Through {
  using Through::Through;
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override {
    if (jobs.size() == 1 && jobs[0]->stages[0].operation == Operation::macsec_protect && ++seen % 3 == 0) {
      jobs[0]->verdict = Verdict::ok;
      return 1;
    }
    return inner->submit(queue, jobs);
  }
  int seen = 0;
};

template <typename Fault>
std::unique_ptr<FailoverRig> driven(bool lose_often = true) {
  RigOptions options;
  options.seed = 11;
  options.failover = short_times();
  if (lose_often) options.plan.lose = 8'000;
  options.around_secondary = [](std::unique_ptr<Engine> engine) { return std::make_unique<Fault>(std::move(engine)); };
  auto rig = std::make_unique<FailoverRig>(std::move(options));
  rig->install_all();
  for (int i = 0; i < 1500; ++i) {
    random_traffic(*rig);
    rig->work();
    if (i % 3 == 0) rig->service();
    rig->now_ns += millisecond / 2;
  }
  CHECK(rig->primary->counts().losses > 3);
  return rig;
}

}  // namespace

TEST_CASE("Nothing planted: nothing seen") {
  const auto rig = driven<Through>();
  CHECK(rig->judgement.sum() == 0);
  CHECK(rig->ledger.twice() == 0);
}
TEST_CASE("A lease that is used again behind a failover is seen") {
  CHECK(driven<OldLease>()->ledger.twice() != 0);
}
TEST_CASE("A window that is lost on the way is seen") {
  CHECK(driven<LostWindow>()->judgement.delivered_twice != 0);
}
TEST_CASE("A window that arrives too high is seen") {
  CHECK(driven<WindowTooHigh>()->judgement.fresh_refused != 0);
}
TEST_CASE("A frame in clear is seen") {
  CHECK(driven<Clear>()->judgement.clear_bytes != 0);
}
TEST_CASE("A job given back twice is seen") {
  // As the whole engine: the failover engine asks its secondary only while something is inside.
  Twice twice(software::make_software_engine().value());
  SaSlot slots[4];
  EngineSetup setup;
  setup.slots = slots;
  REQUIRE(twice.open(setup).ok());
  REQUIRE(twice.install({0, 1}, rig_sa(out_esp, Direction::egress), {1, 100}, 0).ok());
  Frame frame(clear_frame());
  Job* job = frame.with({0, 1}, Operation::esp_encapsulate);
  REQUIRE(twice.submit(QueueId{0}, {&job, 1}) == 1);
  Job* done[2];
  REQUIRE(twice.poll(QueueId{0}, done) == 1);
  // The judge: a parcel that is not out.
  FailoverRig rig({.failover = short_times()});
  rig.install_all();
  auto& parcel = rig.make_egress({Stage{FailoverRig::id(out_esp), Operation::esp_encapsulate}});
  parcel.out = false;
  rig.judge(parcel);
  CHECK(rig.judgement.returned_twice == 1);
  rig.to_submit.clear();
  twice.close();
}
