// The failover engine under random faults: what must never happen, at thousands of moments; and that the judge sees it
// when it does. LINECRYPT_LONG=1 runs twenty times as many seeds.
#include <catch2/catch.hpp>

#include "tests/host/engines/failover_rig.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using engines::PrimaryUse;

namespace {

engines::FaultPlan rough() {
  engines::FaultPlan plan;
  plan.lose = 8'000;
  plan.hang = 3'000;
  plan.hang_then_lose = 500'000;
  plan.hang_calls = 12;
  plan.refuse_submit = 100'000;
  plan.wrong_verdict = 2'000;
  plan.drop_event = 100'000;
  plan.lose_in_control = 20'000;
  return plan;
}

RigOptions rough_rig(std::uint64_t seed, bool delaying) {
  RigOptions options;
  options.seed = seed;
  options.plan = rough();
  options.primary_late = static_cast<std::uint32_t>(seed % 6);
  options.delaying_secondary = delaying;
  options.failover = short_times();
  return options;
}

void drive(FailoverRig& rig, int steps) {
  rig.install_all();
  for (int i = 0; i < steps; ++i) {
    random_traffic(rig);
    rig.work();
    if (rig.random() % 4 == 0) rig.service();
    if (rig.random() % 3 == 0) rig.now_ns += millisecond;
  }
}

}  // namespace

TEST_CASE("Whatever happens to the primary and when: no number twice, nothing clear, no frame and no job twice") {
  const bool delaying = GENERATE(false, true);
  const std::uint64_t seeds = long_form() ? 400 : 20;
  std::uint64_t losses = 0;
  std::uint64_t unseen = 0;
  engines::FailoverStatus sum;
  std::map<Verdict, std::uint64_t> verdicts;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(delaying, seed);
    FailoverRig rig(rough_rig(seed, delaying));
    drive(rig, 1500);
    rig.primary->stop_plan();
    REQUIRE(rig.settle());
    CHECK(rig.judgement.returned_twice == 0);
    CHECK(rig.judgement.out_of_order == 0);
    CHECK(rig.judgement.clear_bytes == 0);
    CHECK(rig.judgement.wrong_frames == 0);
    CHECK(rig.judgement.delivered_twice == 0);
    CHECK(rig.judgement.fresh_refused == 0);
    CHECK(rig.judgement.touched == 0);
    CHECK(rig.ledger.twice() == 0);
    CHECK(rig.ledger.beyond() == 0);
    CHECK(rig.ledger.used() > 1000);
    // Back to the primary afterwards, all but the one that it does not take.
    const auto status = rig.engine->status();
    CHECK(status.use == PrimaryUse::used);
    CHECK(status.sas_secondary == status.sas_pinned);
    CHECK(rig.engine->placement(FailoverRig::id(out_esp_192))->engine != rig.primary->capabilities().engine);
    const auto counts = rig.primary->counts();
    losses += counts.losses;
    unseen += counts.done_unseen;
    sum.returns += status.returns;
    sum.jobs_redone += status.jobs_redone;
    sum.jobs_split += status.jobs_split;
    for (const auto& [verdict, count] : rig.verdicts) verdicts[verdict] += count;
  }
  // The test did what it is for.
  CAPTURE(losses, unseen, sum.returns, sum.jobs_redone, sum.jobs_split);
  CHECK(losses > seeds * 8);
  CHECK(unseen > seeds * 5);
  CHECK(sum.returns > seeds);
  CHECK(sum.jobs_redone > seeds * 10);
  CHECK(sum.jobs_split > seeds * 20);
  CHECK(verdicts[Verdict::ok] > seeds * 1000);
  // The secondary did what the primary lost: next to nothing comes back undone.
  CHECK(verdicts[Verdict::engine_lost] + verdicts[Verdict::engine_busy] < verdicts[Verdict::ok] / 1000);
}
