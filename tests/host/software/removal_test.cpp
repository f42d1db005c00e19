// What becomes of a removed SA while workers may still hold it: nothing waits, nothing is used again too soon, no key
// stays.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "host/software/sa_head.hpp"
#include "host/software/software_engine.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/quiescent.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// The engine itself, for what it tells beside the contract.
struct Bench {
  explicit Bench(Quiescent& of_workers, std::uint32_t count = 4)
      : quiescent(of_workers), slots(std::make_unique<SaSlot[]>(count)) {
    auto provider = software::make_provider(software::ProviderChoice::automatic);
    REQUIRE(provider.ok());
    key_size = (*provider)->context_size();
    engine = std::make_unique<software::SoftwareEngine>(std::move(*provider));
    EngineSetup setup;
    setup.slots = {slots.get(), count};
    setup.reclamation = quiescent.deferring();
    REQUIRE(engine->open(setup).ok());
  }
  ~Bench() {
    quiescent.leave(0);  // closing waits for workers
    engine->close();
  }

  [[nodiscard]] software::ContextHead* head(SaId id) const {
    return static_cast<software::ContextHead*>(slots[id.index].context);
  }
  // A worker's burst of one packet.
  Verdict send(SaId id) {
    Frame frame(clear_frame());
    Job* jobs[] = {frame.with(id, Operation::esp_encapsulate)};
    engine->submit(QueueId{0}, jobs);
    return frame.job.verdict;
  }
  void look() {
    Event some[4];
    engine->events(some);
  }

  Quiescent& quiescent;
  std::unique_ptr<SaSlot[]> slots;
  std::size_t key_size = 0;
  std::unique_ptr<software::SoftwareEngine> engine;
};

// Free blocks are linked through their first bytes; all others are zero.
bool cleansed(const void* block, std::size_t size) {
  const auto* const bytes = static_cast<const std::uint8_t*>(block);
  return std::all_of(bytes + sizeof(void*), bytes + size, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

TEST_CASE("A removal waits for nobody; the keys go with the first control call behind the worker's burst") {
  Quiescent quiescent;
  Bench bench(quiescent);
  const SaId id{1, 7};
  REQUIRE(bench.engine->install(id, esp_sa(Direction::egress), {1, 100}, 0).ok());
  const void* const key = bench.head(id)->key;
  const void* const context = bench.slots[1].context;
  quiescent.enter(0);  // a worker is inside a burst
  REQUIRE(bench.engine->remove(id).ok());
  CHECK(quiescent.waits() == 0);
  CHECK(bench.engine->retired() == 1);
  CHECK_FALSE(cleansed(key, bench.key_size));
  CHECK(bench.send(id) == Verdict::stale_sa);
  bench.look();
  CHECK_FALSE(cleansed(key, bench.key_size));  // the worker is still in there
  quiescent.quiescent(0);
  bench.look();
  CHECK(bench.engine->retired() == 0);
  CHECK(cleansed(key, bench.key_size));
  CHECK(cleansed(context, software::context_size_largest));
  CHECK(bench.slots[1].context == nullptr);
  CHECK(quiescent.waits() == 0);
}

TEST_CASE("A slot is filled again only when every worker has left it, and waits for that where it must") {
  Quiescent quiescent;
  Bench bench(quiescent);
  const bool left = GENERATE(true, false);
  const SaId first{2, 1};
  const SaId second{2, 2};
  REQUIRE(bench.engine->install(first, esp_sa(Direction::egress), {1, 100}, 0).ok());
  quiescent.enter(0);
  REQUIRE(bench.engine->remove(first).ok());
  std::thread worker;
  if (left) {
    quiescent.quiescent(0);
  } else {
    // Passes its quiescent point only once somebody waits for it.
    worker = std::thread([&] {
      while (quiescent.waits() == 0) std::this_thread::yield();
      quiescent.leave(0);
    });
  }
  REQUIRE(bench.engine->install(second, esp_sa(Direction::egress), {1000, 1001}, 0).ok());
  CHECK(quiescent.waits() == (left ? 0 : 1));
  CHECK(bench.engine->retired() == 0);
  if (worker.joinable()) worker.join();
  CHECK(bench.send(first) == Verdict::stale_sa);
  CHECK(bench.send(second) == Verdict::ok);
  CHECK(bench.slots[2].next_number.load() == 1001);
}

TEST_CASE("An event of a removed SA is not taken for its successor's") {
  Quiescent quiescent;
  Bench bench(quiescent);
  const SaId first{0, 1};
  REQUIRE(bench.engine->install(first, esp_sa(Direction::egress), {1, 2}, 0).ok());
  CHECK(bench.send(first) == Verdict::ok);
  CHECK(bench.send(first) == Verdict::lease_exhausted);
  REQUIRE(bench.engine->remove(first).ok());
  REQUIRE(bench.engine->install({0, 2}, esp_sa(Direction::egress), {1, 100}, 0).ok());
  Event some[4];
  CHECK(bench.engine->events(some) == 0);
}

TEST_CASE("The old context of a moved peer goes later too, and the moved one keeps lifetimes and selectors") {
  Quiescent quiescent;
  Bench bench(quiescent);
  EspSa sa = esp_sa(Direction::ingress);
  sa.udp = UdpEncapsulation{};
  sa.lifetime.hard.packets = 5;
  sa.selectors.push_back({*Prefix::parse("10.0.0.0/8"), *Prefix::parse("10.0.0.0/8"), {}, {}, {}});
  const SaId id{3, 1};
  REQUIRE(bench.engine->install(id, std::move(sa), {}, 0).ok());
  const void* const old = bench.slots[3].context;
  const void* const key = bench.head(id)->key;
  quiescent.enter(0);
  IpAddress moved;
  moved.bytes = {198, 51, 100, 7};
  for (int i = 0; i < 3; ++i) REQUIRE(bench.engine->update(id, SetPeer{moved, 4501}).ok());
  CHECK(bench.engine->retired() == 3);
  CHECK(bench.slots[3].context != old);
  CHECK(bench.head(id)->key == key);
  CHECK(bench.slots[3].limits.load()->hard.packets == 5);
  quiescent.leave(0);
  bench.look();
  CHECK(bench.engine->retired() == 0);
  CHECK(cleansed(old, software::context_size_largest));
  CHECK(quiescent.waits() == 0);
  REQUIRE(bench.engine->remove(id).ok());  // ends the selectors, once: the sanitizers look
}
