// Thousands of SAs are replaced while a worker sends through all of them: no packet is lost, none goes out or comes in
// under a key that is not its SA's, and nobody waits for the worker.
#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "host/software/software_engine.hpp"
#include "host/tables/slot_table.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/long_form.hpp"
#include "tests/support/quiescent.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// Two ends of one tunnel, both in this engine. The worker reads an entry's place by one atomic load.
struct Entry {
  SaId out;
  SaId in;
  std::uint32_t spi = 0;
};

// Pairs that may be on their way out at a time.
constexpr std::uint32_t spare = 2048;

// ThreadSanitizer takes ten times as long for each step.
std::uint32_t pair_count() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return 1024;
#else
  return long_form() ? 500'000 : 32'768;
#endif
}

// Its own key, so that a packet opens under no other SA's.
EspSa end_of_pair(std::uint32_t serial, Direction direction) {
  EspSa sa = esp_sa(direction);
  Bytes key = test_key(32);
  wire::store32(key.data(), serial);
  sa.key = Secret<32>(key);
  sa.spi = 0x100 + serial;
  return sa;
}

struct Shared {
  explicit Shared(std::uint32_t pairs) : current(pairs), entries(pairs + spare) {}
  std::vector<std::atomic<std::uint32_t>> current;
  std::vector<Entry> entries;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> sent{0};
};

// Bursts through random pairs and back.
std::uint64_t send_all(Engine& engine, Shared& shared, Quiescent& quiescent) {
  constexpr std::size_t burst = 16;
  const Bytes clear = clear_frame();
  std::mt19937 random(5);
  std::uint64_t wrong = 0;
  quiescent.enter(0);
  while (!shared.stop.load()) {
    std::vector<std::unique_ptr<Frame>> frames;
    std::vector<const Entry*> taken;
    std::vector<Job*> jobs;
    for (std::size_t i = 0; i < burst; ++i) {
      taken.push_back(
          &shared.entries[shared.current[random() % shared.current.size()].load(std::memory_order_acquire)]);
      frames.push_back(std::make_unique<Frame>(clear));
      jobs.push_back(frames[i]->with(taken[i]->out, Operation::esp_encapsulate));
    }
    engine.submit(QueueId{0}, jobs);
    for (std::size_t i = 0; i < burst; ++i) {
      const bool good = jobs[i]->verdict == Verdict::ok && wire::load32(frames[i]->packet.data + 34) == taken[i]->spi;
      wrong += good ? 0 : 1;
      frames[i]->with(taken[i]->in, Operation::esp_decapsulate);
    }
    engine.submit(QueueId{0}, jobs);
    for (std::size_t i = 0; i < burst; ++i)
      if (jobs[i]->verdict != Verdict::ok || frames[i]->bytes() != clear) ++wrong;
    shared.sent.fetch_add(burst);
    quiescent.quiescent(0);
  }
  quiescent.leave(0);
  return wrong;
}

}  // namespace

TEST_CASE("Rekeying thousands of SAs under traffic loses no packet, uses no stale key and waits for no worker") {
  const std::uint32_t pairs = pair_count();
  const std::uint32_t room = pairs + spare;
  Quiescent quiescent;
  // However long the worker is held up: of what it may still have in its hands there are `spare` pairs at most, so with
  // as many slots more the one free for longest is never among them.
  tables::SlotTable slots(2 * (room + spare) + 2);
  auto provider = software::make_provider(software::ProviderChoice::automatic);
  REQUIRE(provider.ok());
  software::SoftwareEngine engine(std::move(*provider));
  EngineSetup setup;
  setup.slots = slots.slots();
  setup.reclamation = quiescent.deferring();
  REQUIRE(engine.open(setup).ok());

  Shared shared(pairs);
  std::deque<std::uint32_t> free;
  for (std::uint32_t i = 0; i < room; ++i) free.push_back(i);
  std::uint32_t serial = 0;
  const auto add = [&] {
    const std::uint32_t place = free.front();
    free.pop_front();
    Entry& entry = shared.entries[place];
    ++serial;
    const auto out = slots.allocate();
    const auto in = slots.allocate();
    REQUIRE(out.ok());
    REQUIRE(in.ok());
    REQUIRE(engine.install(*out, end_of_pair(serial, Direction::egress), {1, 1'000'000}, 0).ok());
    REQUIRE(engine.install(*in, end_of_pair(serial, Direction::ingress), {}, 0).ok());
    entry = {*out, *in, 0x100 + serial};
    return place;
  };
  for (auto& current : shared.current) current.store(add());

  std::uint64_t wrong = 0;
  std::thread worker([&] { wrong = send_all(engine, shared, quiescent); });
  struct Leaving {
    std::uint32_t place;
    std::uint64_t moment;
  };
  std::deque<Leaving> leaving;
  std::vector<SaId> gone;
  const auto let_go = [&] {
    while (!leaving.empty() && quiescent.passed(leaving.front().moment)) {
      const Entry& entry = shared.entries[leaving.front().place];
      for (const SaId id : {entry.out, entry.in}) {
        REQUIRE(engine.remove(id).ok());
        slots.release(id);
      }
      if (gone.size() < 1000) gone.push_back(entry.out);
      free.push_back(leaving.front().place);
      leaving.pop_front();
    }
  };
  // Every pair once at least, and the worker has done its share.
  std::mt19937 random(9);
  for (std::uint32_t round = 0; round < pairs || shared.sent.load() < pairs; ++round) {
    while (free.empty()) {
      let_go();
      std::this_thread::yield();
    }
    auto& current = shared.current[round < pairs ? round : random() % pairs];
    leaving.push_back({current.exchange(add(), std::memory_order_acq_rel), quiescent.begin()});
    let_go();
  }
  const std::uint64_t waits = quiescent.waits();
  shared.stop = true;
  worker.join();
  CHECK(wrong == 0);
  CHECK(waits == 0);
  let_go();
  Event some[4];
  engine.events(some);
  CHECK(engine.retired() == 0);
  // Whoever kept an old id meets no other SA in its slot.
  for (const SaId id : gone) {
    Frame frame(clear_frame());
    Job* jobs[] = {frame.with(id, Operation::esp_encapsulate)};
    engine.submit(QueueId{0}, jobs);
    if (frame.job.verdict != Verdict::stale_sa) FAIL("SA " << id.index << ": " << name(frame.job.verdict));
  }
  engine.close();
}
