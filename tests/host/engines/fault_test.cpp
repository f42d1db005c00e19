// The fault engine does what it is asked, exactly once, and what it is not asked it leaves alone.
#include "host/engines/fault.hpp"

#include <catch2/catch.hpp>

#include "tests/support/engines.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using engines::EngineState;

namespace {

struct Bench {
  explicit Bench(engines::FaultOptions options = {}) : slots(std::make_unique<SaSlot[]>(2)) {
    engine = engines::make_fault_engine(software::make_software_engine().value(), options);
    EngineSetup setup;
    setup.slots = {slots.get(), 2};
    REQUIRE(engine->open(setup).ok());
    install();
  }
  ~Bench() { engine->close(); }
  void install() {
    REQUIRE(engine->install({0, 1}, Sa(esp_sa(Direction::egress)), {1, 1000}, 0).ok());
    REQUIRE(engine->install({1, 1}, Sa(esp_sa(Direction::ingress)), {}, 0).ok());
  }
  Frame& submit() {
    frames.push_back(std::make_unique<Frame>(clear_frame()));
    Job* job = frames.back()->with({0, 1}, Operation::esp_encapsulate);
    taken = engine->submit(QueueId{0}, {&job, 1});
    return *frames.back();
  }
  std::uint32_t poll() { return engine->poll(QueueId{0}, done); }

  std::unique_ptr<SaSlot[]> slots;
  std::unique_ptr<engines::FaultEngine> engine;
  std::vector<std::unique_ptr<Frame>> frames;
  std::uint32_t taken = 0;
  Job* done[64] = {};
};

}  // namespace

TEST_CASE("Without faults it is the engine inside, and the caller's slots follow") {
  Bench bench;
  CHECK(bench.submit().job.verdict == Verdict::ok);
  CHECK(bench.submit().job.number == 2);
  CHECK(bench.slots[0].next_number.load() == 3);
  CHECK(bench.slots[0].counters.packets.get() == 2);
  CHECK(bench.engine->state() == EngineState::ready);
  Frame& back = *bench.frames.back();
  Job* job = back.with({1, 1}, Operation::esp_decapsulate);
  REQUIRE(bench.engine->submit(QueueId{0}, {&job, 1}) == 1);
  CHECK(job->verdict == Verdict::ok);
  CHECK(bench.slots[1].window.top() == 2);
  CHECK(bench.slots[1].window.check(2) == ReplayCheck::duplicate);
  CHECK(bench.slots[1].window.check(1) == ReplayCheck::fresh);
}

TEST_CASE("Jobs in flight at a loss come back once, as they were; some were done all the same, their numbers spent") {
  std::vector<std::uint64_t> spent;
  engines::FaultOptions options;
  options.seed = GENERATE(1U, 2U, 3U, 4U, 5U);
  options.most_polls_late = 30;
  options.most_accepted = 0;
  options.spent = {&spent, [](void* self, SaId, std::uint64_t number) {
                     static_cast<std::vector<std::uint64_t>*>(self)->push_back(number);
                   }};
  Bench bench(options);
  for (int i = 0; i < 10; ++i) bench.submit();
  std::uint32_t came = 0;
  bench.engine->lose("planned by the test");
  CHECK(bench.engine->state() == EngineState::lost);
  CHECK(bench.engine->reason() == "planned by the test");
  came += bench.poll();
  CHECK(came == 10);
  CHECK(bench.poll() == 0);
  for (const auto& frame : bench.frames) {
    CHECK(frame->job.verdict == Verdict::engine_lost);
    CHECK(frame->bytes() == clear_frame());
  }
  CHECK(bench.engine->counts().lost_jobs == 10);
  CHECK(bench.engine->counts().done_unseen == spent.size());
  CHECK(bench.slots[0].next_number.load() == 1);  // nobody has seen them
  // Nothing works until it is back, and then nothing is installed.
  CHECK_FALSE(bench.engine->install({0, 2}, Sa(esp_sa(Direction::egress)), {1, 9}, 0).ok());
  CHECK_FALSE(bench.engine->update({0, 1}, GrantLease{{1000, 1001}}).ok());
  CHECK_FALSE(bench.engine->read({0, 1}).ok());
  const Verdict next = bench.submit().job.verdict;
  CHECK((bench.taken == 0 || next == Verdict::engine_lost));
  bench.engine->try_recover();
  CHECK(bench.engine->state() == EngineState::recovering);
  while (bench.engine->state() == EngineState::recovering) {
  }
  CHECK(bench.engine->state() == EngineState::ready);
  CHECK(bench.slots[0].generation.load() == 0);
  CHECK_FALSE(bench.engine->read({0, 1}).ok());
  bench.install();
  CHECK(bench.engine->counts().recoveries == 1);
}

TEST_CASE("It hangs for as many calls as asked, and is well or lost behind them") {
  const bool lost = GENERATE(false, true);
  engines::FaultOptions options;
  options.most_polls_late = 1;
  options.most_accepted = 0;
  Bench bench(options);
  bench.submit();
  REQUIRE(bench.taken == 1);
  bench.engine->hang(3, lost);
  CHECK(bench.poll() == 0);
  CHECK(bench.poll() == 0);
  CHECK_FALSE(bench.engine->read({0, 1}).ok());
  CHECK(bench.poll() == 0);
  CHECK(bench.poll() == 1);
  CHECK(bench.frames[0]->job.verdict == (lost ? Verdict::engine_lost : Verdict::ok));
}

TEST_CASE("It refuses submits and installs, answers wrongly, and drops events, as often as asked") {
  Bench bench;
  bench.engine->refuse_submits(2);
  bench.submit();
  CHECK(bench.taken == 0);
  bench.submit();
  CHECK(bench.taken == 0);
  CHECK(bench.submit().job.verdict == Verdict::ok);
  bench.engine->answer(1, Verdict::esp_bad_icv);
  Frame& wrong = bench.submit();
  CHECK(wrong.job.verdict == Verdict::esp_bad_icv);
  CHECK(wrong.bytes() == clear_frame());
  CHECK(bench.submit().job.number == 2);
  REQUIRE(bench.engine->remove({0, 1}).ok());
  bench.engine->refuse_installs(1);
  CHECK_FALSE(bench.engine->install({0, 1}, Sa(esp_sa(Direction::egress)), {1, 3}, 0).ok());
  REQUIRE(bench.engine->install({0, 1}, Sa(esp_sa(Direction::egress)), {1, 3}, 0).ok());
  bench.engine->drop_events(1);
  bench.submit();
  bench.submit();
  Event some[4];
  CHECK(bench.engine->events(some) == 0);
  CHECK(bench.engine->counts().dropped_events == 1);
  bench.submit();
  CHECK(bench.engine->events(some) == 1);
}

TEST_CASE("A plan of one seed is the same each time, and ends when it is told to") {
  const auto run = [](std::uint64_t seed) {
    engines::FaultOptions options;
    options.seed = seed;
    options.most_polls_late = 3;
    options.plan.lose = 10'000;
    options.plan.refuse_submit = 200'000;
    options.plan.wrong_verdict = 50'000;
    Bench bench(options);
    std::string trace;
    for (int i = 0; i < 200; ++i) {
      bench.submit();
      trace += bench.taken == 0 ? '-' : '+';
      trace += static_cast<char>('0' + bench.poll() % 10);
    }
    bench.engine->stop_plan();
    return trace;
  };
  CHECK(run(3) == run(3));
  CHECK(run(3) != run(4));
}

TEST_CASE("It claims no more than it is allowed to") {
  engines::FaultOptions options;
  options.limit = [](Capabilities& can) { can.aes_256 = false; };
  auto engine = engines::make_fault_engine(software::make_software_engine().value(), options);
  CHECK_FALSE(engine->capabilities().aes_256);
  CHECK(engine->capabilities().engine == "faulty software");
  SaSlot slots[1];
  EngineSetup setup;
  setup.slots = slots;
  REQUIRE(engine->open(setup).ok());
  CHECK_FALSE(engine->install({0, 1}, Sa(esp_sa(Direction::egress)), {1, 9}, 0).ok());
  engine->close();
}
