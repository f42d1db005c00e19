// SaControl over a failover engine: leases from the real registry, across losses of the primary.
#include <catch2/catch.hpp>

#include "host/engines/failover.hpp"
#include "host/engines/fault.hpp"
#include "tests/host/control/control_rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// As Life of control_rig.hpp, with a card that can be lost.
struct CardLife {
  CardLife(const std::string& directory, bool has_software) : registry(Life::opened(directory)) {
    auto card = engines::make_fault_engine(software::make_software_engine().value(), {.most_polls_late = 2});
    primary = card.get();
    engines::FailoverOptions times;
    times.rest_ns = 50'000'000;
    times.test_after_recovery = false;  // its thread keeps its own time
    engine = engines::make_failover_engine(std::move(card), *primary,
                                           has_software ? software::make_software_engine().value() : nullptr, times);
    control::SaControlOptions options;
    options.engine = engine.get();
    options.registry = registry.get();
    options.max_sas = 8;
    options.clock = {this, [](void* self) { return static_cast<CardLife*>(self)->now_ns; }};
    control = control::SaControl::open(options).value();
  }
  // One packet, with the control thread at work every 5 ms; its number, or 0.
  std::uint64_t send(SaId id) {
    Frame frame(clear_frame(20));
    Job* job = frame.with(id, Operation::esp_encapsulate);
    Job* done[1];
    bool taken = false;
    const std::uint64_t began = now_ns;
    for (int turn = 0; turn < 400 && (!taken || job->verdict == Verdict::pending); ++turn) {
      taken = taken || engine->submit(QueueId{0}, {&job, 1}) == 1;
      engine->poll(QueueId{0}, done);
      service_after(5);
    }
    waited_ns = now_ns - began;
    verdict = job->verdict;
    return verdict == Verdict::ok ? job->number : 0;
  }
  void service_after(std::uint64_t milliseconds) {
    now_ns += milliseconds * 1'000'000;
    control->service();
  }

  std::uint64_t now_ns = 1'000'000'000;
  std::uint64_t waited_ns = 0;
  Verdict verdict = Verdict::pending;
  std::unique_ptr<keys::KeyRegistry> registry;
  engines::FaultEngine* primary = nullptr;
  std::unique_ptr<engines::FailoverEngine> engine;
  std::unique_ptr<control::SaControl> control;
};

EspSa key_of_tunnel() {
  return esp_sa(Direction::egress);
}

}  // namespace

TEST_CASE("After a loss the next lease is there within a few turns, and no number comes twice") {
  TemporaryDirectory directory;
  CardLife life(directory.path(), true);
  const EspSa sa = key_of_tunnel();
  REQUIRE(life.registry->enroll(sa, "tunnel", 1).ok());
  const auto id = life.control->add(sa, keys::KeyLife::persistent, "tunnel");
  REQUIRE(id.ok());
  std::uint64_t last = 0;
  for (int loss = 0; loss < 20; ++loss) {
    for (int i = 0; i < 5; ++i) {
      const std::uint64_t number = life.send(*id);
      REQUIRE(number > last);
      last = number;
      CHECK(life.waited_ns <= 100'000'000);
    }
    life.primary->lose("planned");
    // Every second one while the SA is on its way back.
    const std::uint64_t number = life.send(*id);
    REQUIRE(number > last);
    last = number;
    CHECK(life.waited_ns <= 100'000'000);
    for (int i = 0; i < 400 && (loss % 2 == 0 || life.engine->status().sas_moving == 0); ++i) life.service_after(5);
  }
  CHECK(life.engine->status().failovers == 20);
  CHECK(life.control->problems().empty());
  // What was skipped is bounded: two leases a move.
  CHECK(last < 2 * life.engine->status().moves * lease_largest);
  const auto state = life.registry->state(life.registry->egress_space(sa));
  REQUIRE(state.ok());
  CHECK(state->egress_next > last);
  CHECK(state->egress_sent <= last);
}

TEST_CASE("Losses without a packet between them skip numbers, and are never told as sent") {
  TemporaryDirectory directory;
  CardLife life(directory.path(), true);
  const EspSa sa = key_of_tunnel();
  const auto id = life.control->add(sa, keys::KeyLife::ephemeral, "tunnel");
  REQUIRE(id.ok());
  REQUIRE(life.send(*id) == 1);
  for (int loss = 0; loss < 50; ++loss) {
    life.primary->lose("planned");
    for (int i = 0; i < 400 && life.engine->status().use != engines::PrimaryUse::used; ++i) life.service_after(100);
    CHECK(life.control->list().front().state.next_number == 2);
  }
  const std::uint64_t number = life.send(*id);
  CHECK(number > 1);
  CHECK(number < lead_largest);
  CHECK(life.engine->status().numbers_skipped >= number - 2);
}

TEST_CASE("A lease whose event was lost is asked for by the state") {
  TemporaryDirectory directory;
  CardLife life(directory.path(), true);
  const EspSa sa = key_of_tunnel();
  const auto id = life.control->add(sa, keys::KeyLife::ephemeral, "tunnel");
  REQUIRE(id.ok());
  life.primary->lose("planned");
  Event lost[8];
  for (int i = 0; i < 10; ++i) life.engine->events(lost);  // nobody hears them
  REQUIRE(life.engine->read(*id)->lease_wanted);
  life.service_after(1000);
  life.service_after(5);
  CHECK_FALSE(life.engine->read(*id)->lease_wanted);
  CHECK(life.send(*id) != 0);
}

TEST_CASE("A card alone: its SAs stand still while it is lost, and go on with the next lease") {
  TemporaryDirectory directory;
  CardLife life(directory.path(), false);
  const auto id = life.control->add(key_of_tunnel(), keys::KeyLife::ephemeral, "tunnel");
  REQUIRE(id.ok());
  const std::uint64_t before = life.send(*id);
  REQUIRE(before != 0);
  life.primary->refuse_recoveries(3);
  life.primary->lose("planned");
  CHECK(life.send(*id) == 0);
  CHECK(life.verdict == Verdict::engine_lost);
  std::uint64_t after = 0;
  for (int i = 0; i < 5000 && after == 0; ++i) after = life.send(*id);
  CHECK(after > before);
  CHECK(life.control->remove(*id).ok());
}
