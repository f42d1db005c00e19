// A primary whose known answers are wrong: it is not used, and one that is back is tested before it is watched.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/host/engines/failover_rig.hpp"
#include "tests/host/engines/through.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using engines::PrimaryUse;

TEST_CASE("A card that gives wrong answers is not used") {
  struct Wrong : Through {
    using Through::Through;
    Result<void> self_test() override { return Error{"planted: wrong tag"}; }
  };
  struct Health : engines::EngineHealth {
    [[nodiscard]] engines::EngineState state() const noexcept override { return engines::EngineState::ready; }
    [[nodiscard]] std::string reason() const override { return {}; }
    void try_recover() override { ++asked; }
    std::optional<Result<void>> self_test_step() override { return Error{"planted: wrong tag"}; }
    int asked = 0;
  } health;
  auto engine = engines::make_failover_engine(std::make_unique<Wrong>(software::make_software_engine().value()), health,
                                              software::make_software_engine().value(), short_times());
  REQUIRE(engine->self_test().ok());
  SaSlot slots[2];
  EngineSetup setup;
  setup.slots = slots;
  REQUIRE(engine->open(setup).ok());
  CHECK(engine->status().use == PrimaryUse::lost);
  CHECK(engine->status().reason.find("wrong tag") != std::string::npos);
  REQUIRE(engine->install({0, 1}, rig_sa(out_esp, Direction::egress), {1, 9}, 0).ok());
  CHECK(engine->status().sas_secondary == 1);
  Event some[2];
  for (int i = 0; i < 5; ++i) engine->events(some);
  CHECK(health.asked == 0);
  auto alone = engines::make_failover_engine(std::make_unique<Wrong>(software::make_software_engine().value()), health,
                                             nullptr, short_times());
  CHECK_FALSE(alone->self_test().ok());
}

TEST_CASE("A card that is back must compute right before it is watched") {
  struct Wrong : Through {
    using Through::Through;
    Result<void> self_test() override {
      ++tests;
      return tests <= 2 ? Result<void>(Error{"planted: wrong tag"}) : inner->self_test();
    }
    std::atomic<int> tests{0};
  };
  auto fault = engines::make_fault_engine(software::make_software_engine().value());
  engines::FaultEngine& health = *fault;
  auto card = std::make_unique<Wrong>(std::move(fault));
  const Wrong& tested = *card;
  engines::FailoverOptions options = short_times();
  options.test_after_recovery = true;
  auto engine =
      engines::make_failover_engine(std::move(card), health, software::make_software_engine().value(), options);
  SaSlot slots[2];
  static std::uint64_t now_ns = 1;
  EngineSetup setup;
  setup.slots = slots;
  setup.clock = {nullptr, [](void*) { return now_ns; }};
  REQUIRE(engine->open(setup).ok());
  Event some[2];
  health.lose("pulled out");
  bool refused = false;
  for (int i = 0; i < 200'000 && engine->status().returns == 0; ++i) {
    engine->events(some);
    refused = refused || engine->status().reason.find("wrong tag") != std::string::npos;
    now_ns += millisecond / 4;
    std::this_thread::yield();
  }
  CHECK(refused);
  CHECK(tested.tests >= 3);
  CHECK(engine->status().use == PrimaryUse::used);
  // Closed while a test may run.
  health.lose("again");
  for (int i = 0; i < 40; ++i) {
    engine->events(some);
    now_ns += millisecond;
  }
  engine->close();
}
