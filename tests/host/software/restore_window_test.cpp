// RestoreWindow: an ingress SA that comes from another engine goes on with the window it had there.
#include <catch2/catch.hpp>

#include "tests/support/engines.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// A window of another engine: 1 to 60 seen but for 50.
struct Window {
  Window() : words(ReplayWindow::words_for(64)) {
    window.attach(words.data(), 64);
    for (std::uint64_t n = 1; n <= 60; ++n)
      if (n != 50) window.accept(n);
  }
  std::vector<std::uint64_t> words;
  ReplayWindow window;
};

// The frame with this number, by an engine of its own.
Bytes sealed(const Sa& sa, std::uint64_t number, Operation operation) {
  Rig sender(engine_kinds().front());
  const SaId id = sender.install(sa, {number, number + 1});
  Frame frame(clear_frame());
  REQUIRE(sender.run(frame.with(id, operation)) == Verdict::ok);
  return frame.bytes();
}

}  // namespace

TEST_CASE("ESP: what the window had not seen is fresh again, all else is not") {
  Rig rig(engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))]);
  EspSa in = esp_sa(Direction::ingress);
  in.replay_window = 64;
  const SaId id = rig.install(Sa(std::move(in)), {}, 60);
  const auto receive = [&](std::uint64_t number) {
    Frame frame(sealed(Sa(esp_sa(Direction::egress)), number, Operation::esp_encapsulate));
    return rig.run(frame.with(id, Operation::esp_decapsulate));
  };
  CHECK(receive(50) == Verdict::replay_duplicate);
  const Window before;
  REQUIRE(rig.engine().update(id, RestoreWindow{&before.window}).ok());
  CHECK(receive(50) == Verdict::ok);
  CHECK(receive(50) == Verdict::replay_duplicate);
  CHECK(receive(49) == Verdict::replay_duplicate);
  CHECK(receive(61) == Verdict::ok);
  CHECK(rig.engine().read(id)->window_top == 61);
  // Of another size: everything up to the top counts as seen.
  std::vector<std::uint64_t> words(ReplayWindow::words_for(128));
  ReplayWindow other;
  other.attach(words.data(), 128);
  other.accept(70);
  REQUIRE(rig.engine().update(id, RestoreWindow{&other}).ok());
  CHECK(receive(69) == Verdict::replay_duplicate);
  CHECK(receive(71) == Verdict::ok);
}

TEST_CASE("MACsec: the lowest acceptable PN comes along") {
  Rig rig(engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))]);
  const auto sa = [](Direction direction) {
    MacsecSa one = macsec_sa(direction);
    one.secy.replay_window = 64;
    one.secy.duplicate_bitmap = 64;
    return one;
  };
  const SaId id = rig.install(Sa(sa(Direction::ingress)), {}, 60);
  const auto receive = [&](std::uint64_t number) {
    Frame frame(sealed(Sa(sa(Direction::egress)), number, Operation::macsec_protect));
    return rig.run(frame.with(id, Operation::macsec_validate));
  };
  CHECK(receive(50) == Verdict::replay_late);
  const Window before;
  REQUIRE(rig.engine().update(id, RestoreWindow{&before.window, 45}).ok());
  CHECK(receive(44) == Verdict::replay_late);
  CHECK(receive(49) == Verdict::replay_duplicate);
  CHECK(receive(50) == Verdict::ok);
}

TEST_CASE("Egress has no window to restore") {
  Rig rig(engine_kinds().front());
  const SaId id = rig.install(Sa(esp_sa(Direction::egress)));
  const Window before;
  const auto refused = rig.engine().update(id, RestoreWindow{&before.window});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("ingress") != std::string::npos);
}
