#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <thread>

#include "driver/card/engine/known_answers.hpp"
#include "tests/driver/card/engine/rig.hpp"
#include "tests/support/waiting.hpp"

using namespace linecrypt;
using namespace linecrypt::card_test;
using namespace linecrypt::test;

TEST_CASE("A packet goes through the card and comes back as it was") {
  CardRig rig;
  const bool esp = GENERATE(true, false);
  const SaId out = esp ? rig.install(esp_sa(Direction::egress)) : rig.install(macsec_sa(Direction::egress));
  const SaId in = esp ? rig.install(esp_sa(Direction::ingress), {}) : rig.install(macsec_sa(Direction::ingress), {});
  for (const std::size_t size : {0, 1, 100, 1400, 9000}) {
    Frame frame(clear_frame(size));
    const Bytes clear = frame.bytes();
    REQUIRE(rig.run(frame.with(out, esp ? Operation::esp_encapsulate : Operation::macsec_protect)) == Verdict::ok);
    REQUIRE(frame.bytes() != clear);
    REQUIRE(rig.run(frame.with(in, esp ? Operation::esp_decapsulate : Operation::macsec_validate)) == Verdict::ok);
    REQUIRE(frame.bytes() == clear);
  }
}

TEST_CASE("The card passes its self-test, closed and beside SAs in use, and fails it when it answers wrongly") {
  CardRig rig;
  const SaId out = rig.install(esp_sa(Direction::egress));
  auto passed = rig.engine().self_test();
  INFO((passed ? "" : passed.error().message));
  REQUIRE(passed.ok());
  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  rig.engine().close();
  passed = rig.engine().self_test();
  INFO((passed ? "" : passed.error().message));
  REQUIRE(passed.ok());
  REQUIRE(rig.engine().state() == card::CardState::closed);
}

TEST_CASE("A self-test beside traffic waits for nothing: the card that stands still holds up only the test") {
  CardRig rig;
  const SaId out = rig.install(esp_sa(Direction::egress));
  // 1. Until its first packet is on a card that stands still: from then on no step gets further, nor waits.
  REQUIRE_FALSE(rig.engine().self_test_step());
  rig.card().faults.stalled = true;
  const std::uint64_t installs = rig.engine().snapshot().installs;
  Event some[4];
  for (int i = 0; i < 20; ++i) {
    REQUIRE_FALSE(rig.engine().self_test_step());
    rig.engine().events(some);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  rig.card().faults.stalled = false;
  // 2. It goes on to its end, and traffic with it.
  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  std::optional<Result<void>> ended;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!ended && std::chrono::steady_clock::now() < until) {
    ended = rig.engine().self_test_step();
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  REQUIRE(ended);
  INFO((*ended ? "" : ended->error().message));
  CHECK(ended->ok());
  CHECK(rig.engine().snapshot().installs > installs);
  // 3. Once more, and the card is lost meanwhile: it ends with the reason.
  REQUIRE_FALSE(rig.engine().self_test_step());
  rig.card().faults.lost = true;
  REQUIRE(rig.wait_lost());
  ended.reset();
  Waiting waiting;
  while (!ended && waiting.turn(false)) ended = rig.engine().self_test_step();
  REQUIRE(ended);
  REQUIRE_FALSE(ended->ok());
  CHECK(ended->error().message.find("self-test of card: ") == 0);
  rig.card().faults.lost = false;
}

TEST_CASE("An engine that is closed half way through its self-test gives its packet back first") {
  CardRig rig;
  REQUIRE_FALSE(rig.engine().self_test_step());
  rig.engine().close();
  CHECK(rig.engine().state() == card::CardState::closed);
  REQUIRE(rig.engine().open(rig.setup()).ok());
  CHECK(rig.engine().self_test().ok());
}

TEST_CASE("A card that answers its self-test wrongly fails it by name, and its slots are free again") {
  CardRig rig;
  rig.card().faults.spoiled = 1;
  auto tested = rig.engine().self_test();
  REQUIRE_FALSE(tested.ok());
  CHECK(tested.error().message == fmt::format("self-test of card: {}, seal: wrong answer", card::esp_answers[0].name));
  tested = rig.engine().self_test();
  INFO((tested ? "" : tested.error().message));
  CHECK(tested.ok());
}

TEST_CASE("A card that contradicts itself in its self-test is lost, and the self-test says why") {
  CardRig rig;
  rig.card().faults.unflagged = 1;  // the first packet comes back as ok, but without having taken a number
  const auto tested = rig.engine().self_test();
  REQUIRE_FALSE(tested.ok());
  INFO(tested.error().message);
  CHECK(tested.error().message.find("self-test of card: ") == 0);
  CHECK(rig.engine().state() == card::CardState::lost);
}

TEST_CASE("Events that the card dropped are told") {
  CardRig rig;
  CHECK(rig.engine().snapshot().card_events_dropped == 0);
  rig.card().set_register(abi::reg::events_dropped, 7);
  CHECK(rig.engine().snapshot().card_events_dropped == 7);
}
