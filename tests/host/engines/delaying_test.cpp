// The delaying engine keeps the Engine contract: partial accept, late completion, order per SA, exactly once.
#include "host/engines/delaying.hpp"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <set>

#include "tests/support/engines.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

struct Bench {
  explicit Bench(const engines::DelayingOptions& options, std::uint32_t queues = 1)
      : slots(std::make_unique<SaSlot[]>(4)) {
    engine = engines::make_delaying_engine(software::make_software_engine().value(), options);
    EngineSetup setup;
    setup.slots = {slots.get(), 4};
    setup.queues = queues;
    REQUIRE(engine->open(setup).ok());
    for (std::uint32_t i = 0; i < 4; ++i)
      REQUIRE(engine
                  ->install({i, 1}, i % 2 == 0 ? Sa(esp_sa(Direction::egress)) : Sa(macsec_sa(Direction::egress)),
                            {1, 1'000'000}, 0)
                  .ok());
  }
  ~Bench() { engine->close(); }
  std::unique_ptr<SaSlot[]> slots;
  std::unique_ptr<Engine> engine;
};

std::unique_ptr<Frame> frame_for(std::uint32_t index) {
  auto frame = std::make_unique<Frame>(clear_frame());
  frame->with({index, 1}, index % 2 == 0 ? Operation::esp_encapsulate : Operation::macsec_protect);
  frame->job.user = index;
  return frame;
}

}  // namespace

TEST_CASE("Every accepted job comes out once, late, in order of its SA, and refused ones stay the caller's") {
  const auto seed = GENERATE(std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{4});
  Bench bench({.seed = seed, .most_accepted = 7, .most_polls_late = 5, .capacity = 12});
  std::vector<std::unique_ptr<Frame>> frames;
  std::deque<Job*> to_submit;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    frames.push_back(frame_for(i * 7 % 4));
    to_submit.push_back(&frames.back()->job);
  }
  std::map<Job*, int> accepted_at;
  std::set<Job*> finished;
  std::map<std::uint64_t, std::uint64_t> last_number;
  std::set<int> latencies;
  std::set<std::uint32_t> accepted_sizes;
  bool held_back = false;
  int turn = 0;
  while (finished.size() < 1000) {
    REQUIRE(++turn < 100'000);
    const std::vector<Job*> burst(to_submit.begin(), to_submit.begin() + std::min<long>(16, std::ssize(to_submit)));
    const std::uint32_t n = bench.engine->submit(QueueId{0}, burst);
    REQUIRE(n <= burst.size());
    accepted_sizes.insert(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      REQUIRE(burst[i]->verdict == Verdict::pending);
      REQUIRE(accepted_at.emplace(burst[i], turn).second);
      to_submit.pop_front();
    }
    REQUIRE(accepted_at.size() - finished.size() <= 12);
    held_back = held_back || accepted_at.size() - finished.size() == 12;
    // Small room at times: what does not fit comes later.
    std::vector<Job*> done(turn % 3 == 0 ? 2 : 8);
    const std::uint32_t came = bench.engine->poll(QueueId{0}, done);
    REQUIRE(came <= done.size());
    for (std::uint32_t i = 0; i < came; ++i) {
      REQUIRE(done[i]->verdict == Verdict::ok);
      REQUIRE(finished.insert(done[i]).second);
      REQUIRE(accepted_at.count(done[i]) == 1);
      latencies.insert(turn - accepted_at[done[i]]);
      REQUIRE(done[i]->number == last_number[done[i]->user] + 1);
      last_number[done[i]->user] = done[i]->number;
    }
  }
  std::vector<Job*> done(8);
  for (int i = 0; i < 50; ++i) CHECK(bench.engine->poll(QueueId{0}, done) == 0);
  // It did what it is for.
  CHECK(accepted_sizes.count(0) == 1);
  CHECK(accepted_sizes.size() > 4);
  CHECK(latencies.size() > 3);
  CHECK(held_back);
}

TEST_CASE("A job is untouched while it waits") {
  Bench bench({.seed = 5, .most_accepted = 1, .most_polls_late = 50});
  auto frame = frame_for(0);
  Job* jobs[] = {&frame->job};
  while (bench.engine->submit(QueueId{0}, jobs) == 0) {
  }
  CHECK(frame->job.verdict == Verdict::pending);
  CHECK(frame->bytes() == clear_frame());
  Job* done[4] = {};
  int polls = 1;
  for (; bench.engine->poll(QueueId{0}, done) == 0; ++polls) CHECK(frame->job.verdict == Verdict::pending);
  CHECK(done[0] == &frame->job);
  CHECK(polls <= 50);
  CHECK(frame->job.verdict == Verdict::ok);
}

TEST_CASE("An SA removed while jobs wait makes them stale, and they still come out") {
  Bench bench({.seed = 6, .most_accepted = 30, .most_polls_late = 9});
  std::vector<std::unique_ptr<Frame>> frames;
  std::size_t accepted = 0;
  while (accepted < 20) {
    frames.push_back(frame_for(0));
    Job* jobs[] = {&frames.back()->job};
    accepted += bench.engine->submit(QueueId{0}, jobs);
  }
  REQUIRE(bench.engine->remove({0, 1}).ok());
  Job* done[64] = {};
  std::size_t came = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t n = bench.engine->poll(QueueId{0}, done);
    for (std::uint32_t k = 0; k < n; ++k) CHECK(done[k]->verdict == Verdict::stale_sa);
    came += n;
  }
  CHECK(came == 20);
}

TEST_CASE("Queues are apart") {
  Bench bench({.seed = 7, .most_accepted = 4, .most_polls_late = 2}, 2);
  auto first = frame_for(0);
  auto second = frame_for(1);
  Job* one[] = {&first->job};
  Job* two[] = {&second->job};
  while (bench.engine->submit(QueueId{0}, one) == 0) {
  }
  while (bench.engine->submit(QueueId{1}, two) == 0) {
  }
  Job* done[4] = {};
  for (int i = 0; i < 10; ++i)
    if (bench.engine->poll(QueueId{1}, done) != 0) CHECK(done[0] == &second->job);
  CHECK(first->job.verdict == Verdict::pending);
  CHECK(second->job.verdict == Verdict::ok);
}

TEST_CASE("It names itself and passes on what its engine can do") {
  Bench bench({});
  CHECK(bench.engine->capabilities().engine == "delaying software");
  CHECK(bench.engine->capabilities().esp_tunnel);
  CHECK(bench.engine->memory() == MemoryPlace::anywhere);
  CHECK(bench.engine->self_test().ok());
}
