#include "driver/card/engine/known_answers.hpp"
#include "tests/driver/card/engine/rig.hpp"

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
