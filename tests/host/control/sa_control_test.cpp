// SAs come to life, get their leases, end, and leave nothing behind.
#include "host/control/sa_control.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/host/control/control_rig.hpp"
#include "tests/support/fragile_disk.hpp"
#include "tests/support/quiescent.hpp"

namespace linecrypt::control {
namespace {

using namespace linecrypt::test;
using Catch::Contains;

std::size_t count(const std::vector<std::string>& texts, const std::string& part) {
  return static_cast<std::size_t>(std::count_if(
      texts.begin(), texts.end(), [&](const std::string& text) { return text.find(part) != std::string::npos; }));
}

TEST_CASE("With service() in time an SA never runs dry and its numbers have no gap, over every kind of space") {
  const EngineKind& kind = any_engine();
  const TemporaryDirectory directory;
  Life life(kind, directory.path());
  const bool esp = GENERATE(true, false);
  // 32-bit spaces begin with 4096 numbers: 10000 packets need several leases.
  const SaId id = esp ? life.add(esp_sa(Direction::egress, 1, 0, false), "tunnel a out")
                      : life.add(macsec_sa(Direction::egress, 1, 1), "macsec p tx an 0");
  const auto operation = esp ? Operation::esp_encapsulate : Operation::macsec_protect;
  for (std::uint64_t number = 1; number <= 10000; ++number) {
    REQUIRE(life.send(id, operation) == number);
    if (number % 400 == 0) life.service_after(10);
  }
  CHECK(life.registry->spaces().front().egress_next > 10000);
  CHECK(life.control->take_messages().empty());
  CHECK(life.control->problems().empty());
}

TEST_CASE("Without a lease an SA stops, and goes on after the next service() with a larger one") {
  const TemporaryDirectory directory;
  Life life(any_engine(), directory.path());
  const SaId id = life.add(esp_sa(Direction::egress, 1, 0, false), "tunnel a out");
  for (std::uint64_t number = 1; number <= 4096; ++number) REQUIRE(life.send(id) == number);
  CHECK(life.send(id) == 0);
  life.service_after(10);
  CHECK(count(life.control->take_messages(), "tunnel a out: dropped packets for want of leased numbers") == 1);
  CHECK(life.send(id) == 4097);
  CHECK(life.registry->spaces().front().egress_next == 4097 + lease_largest_32bit);
}

TEST_CASE("An event that is lost costs a second, not the SA") {
  const TemporaryDirectory directory;
  Life life(engine_kinds().front(), directory.path());
  const SaId id = life.add(esp_sa(Direction::egress, 1, 0, false), "tunnel a out");
  life.engine->lose_events = 1;
  for (std::uint64_t number = 1; number <= 3000; ++number) REQUIRE(life.send(id) == number);
  life.service_after(10);
  life.service_after(1000);
  for (std::uint64_t number = 3001; number <= 6000; ++number) REQUIRE(life.send(id) == number);
}

TEST_CASE("A lease that the engine does not take yet is offered again and not lost") {
  const TemporaryDirectory directory;
  Life life(engine_kinds().front(), directory.path());
  const SaId id = life.add(esp_sa(Direction::egress, 1, 0, false), "tunnel a out");
  for (std::uint64_t number = 1; number <= 3000; ++number) REQUIRE(life.send(id) == number);
  life.engine->refuse_grants = 3;
  life.service_after(10);
  const std::uint64_t lent = life.registry->spaces().front().egress_next;
  for (int i = 0; i < 4; ++i) life.service_after(10);
  CHECK(life.registry->spaces().front().egress_next == lent);
  for (std::uint64_t number = 3001; number <= 6000; ++number) REQUIRE(life.send(id) == number);
}

TEST_CASE("After a restart egress starts behind every number ever leased") {
  const EngineKind& kind = any_engine();
  const TemporaryDirectory directory;
  std::uint64_t highest = 0;
  for (int restart = 0; restart < 4; ++restart) {
    Life life(kind, directory.path());
    const SaId id = life.add(esp_sa(Direction::egress, 1), "tunnel a out");
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t number = life.send(id);
      REQUIRE(number > highest);
      highest = number;
    }
    // Ended by name, or by the end of SaControl.
    if (restart % 2 == 0) CHECK(life.control->remove(id).ok());
  }
  // What was sent is known where it ended in order: skipped numbers stay bounded.
  CHECK(Life::opened(directory.path())->spaces().front().egress_sent >= highest - 1);
}

TEST_CASE("After a restart ingress refuses what it had accepted and goes on with what is new, also over 2^32") {
  const EngineKind& kind = any_engine();
  const std::uint64_t first = GENERATE(std::uint64_t{1}, (std::uint64_t{1} << 32U) - 20);
  const bool esp = GENERATE(true, false);
  const TemporaryDirectory here;
  const TemporaryDirectory there;
  const auto seal = esp ? Operation::esp_encapsulate : Operation::macsec_protect;
  const auto open = esp ? Operation::esp_decapsulate : Operation::macsec_validate;
  const auto suite = CipherSuite::gcm_aes_xpn_256;
  {
    const auto registry = Life::opened(there.path());
    REQUIRE(registry->enroll(esp_sa(Direction::egress, 1), "tunnel out", first).ok());
    REQUIRE(registry->enroll(macsec_sa(Direction::egress, 2, 1, suite), "macsec tx", first).ok());
    const auto receiver = Life::opened(here.path());
    REQUIRE(receiver->enroll(esp_sa(Direction::ingress, 1), "tunnel in", first).ok());
    REQUIRE(receiver->enroll(macsec_sa(Direction::ingress, 2, 1, suite), "macsec rx", first).ok());
  }
  MacsecSa receive = macsec_sa(Direction::ingress, 2, 1, suite);
  receive.secy.replay_window = 64;
  receive.secy.duplicate_bitmap = 64;
  Life sender(kind, there.path());
  const SaId out = esp ? sender.add(esp_sa(Direction::egress, 1), "tunnel out")
                       : sender.add(macsec_sa(Direction::egress, 2, 1, suite), "macsec tx");
  std::vector<Bytes> sent;
  const auto send = [&] {
    Frame frame(clear_frame());
    REQUIRE(sender.run(frame, out, seal) == Verdict::ok);
    sent.push_back(frame.bytes());
  };
  const auto receive_one = [&](Life& life, SaId in, const Bytes& bytes) {
    Frame frame(bytes);
    return life.run(frame, in, open);
  };
  const auto add_in = [&](Life& life) {
    return esp ? life.add(esp_sa(Direction::ingress, 1), "tunnel in") : life.add(receive, "macsec rx");
  };
  // Four lives of the receiver, forty packets: with the second start the border of 2^32 is crossed.
  for (int restart = 0; restart < 4; ++restart) {
    Life receiver(kind, here.path());
    const SaId in = add_in(receiver);
    for (const Bytes& old : sent) {
      const Verdict verdict = receive_one(receiver, in, old);
      CAPTURE(kind.name, first, esp, restart, verdict);
      // An XPN from before 2^32 reads as one of the next 2^32 (IEEE 802.1AE-2018 10.6.2) and fails its ICV.
      const bool beyond = !esp && verdict == Verdict::macsec_not_valid && first > 1;
      CHECK((verdict == Verdict::replay_duplicate || verdict == Verdict::replay_late || beyond));
    }
    for (int i = 0; i < 10; ++i) {
      send();
      CHECK(receive_one(receiver, in, sent.back()) == Verdict::ok);
      CHECK(receive_one(receiver, in, sent.back()) == Verdict::replay_duplicate);
    }
    // A mark is recorded within a second; after that the end may be as sudden as it likes.
    receiver.service_after(1000);
    CHECK(receiver.registry->state(receiver.registry->egress_space(esp_sa(Direction::ingress, 1)))->ingress_mark +
              receiver.registry->state(receiver.registry->egress_space(receive))->ingress_mark ==
          2 * (first - 1) + 10 * static_cast<std::uint64_t>(restart + 1));
  }
}

TEST_CASE("Removing an SA waits for no worker, and its mark covers the worker's last burst") {
  const TemporaryDirectory host;
  Quiescent quiescent;
  Life life({"software", software::ProviderChoice::automatic, false}, host.path(), 8, quiescent.deferring());
  const EspSa key = esp_sa(Direction::ingress, 1);
  const auto space = life.registry->egress_space(key);
  const auto mark = [&] { return life.registry->state(space)->ingress_mark; };
  const SaId id = life.add(key, "tunnel in");
  auto& slot = const_cast<SaSlot&>(life.control->slots()[id.index]);
  quiescent.enter(0);
  REQUIRE(life.control->remove(id).ok());
  // The burst that the worker is in takes one more packet.
  slot.window.accept(9);
  life.control->service();
  CHECK(quiescent.waits() == 0);
  CHECK(mark() == 0);
  const bool again = GENERATE(false, true);
  std::thread worker;
  if (again) {
    // The same key again, while the worker may still take packets of the last SA: only this waits for it.
    worker = std::thread([&] {
      while (quiescent.waits() == 0) std::this_thread::yield();
      quiescent.leave(0);
    });
    const SaId fresh = life.add(key, "tunnel in");
    worker.join();
    CHECK(quiescent.waits() == 1);
    CHECK(fresh.index != id.index);
    CHECK(life.control->slots()[fresh.index].window.top() == 9);
  } else {
    quiescent.leave(0);
    life.control->service();
    CHECK(quiescent.waits() == 0);
  }
  CHECK(mark() == 9);
}

TEST_CASE("A failed step leaves neither claim, slot nor SPI behind") {
  const TemporaryDirectory directory;
  Life life(any_engine(), directory.path(), 2);
  const EspSa in = esp_sa(Direction::ingress, 1);
  REQUIRE(life.registry->enroll(in, "tunnel a in", 1).ok());
  std::string message;
  const auto refused = [&](const EspSa& sa, keys::KeyLife key_life) {
    const auto id = life.control->add(sa, key_life, "x");
    message = id ? "not refused" : id.error().message;
    return !id;
  };
  SECTION("what the engine cannot do is refused before anything is taken") {
    EspSa odd = esp_sa(Direction::ingress, 1);
    odd.replay_window = 100;
    CHECK(refused(odd, keys::KeyLife::persistent));
    CHECK_THAT(message, Contains("replay_window"));
  }
  SECTION("the engine refuses to install") {
    life.engine->refuse_install = true;
    CHECK(refused(in, keys::KeyLife::persistent));
    CHECK_THAT(message, Contains("planted"));
    life.engine->refuse_install = false;
  }
  SECTION("the SPI is in use") {
    EspSa same_spi = esp_sa(Direction::ingress, 2);
    same_spi.spi = in.spi;
    const SaId first = life.add(same_spi, "tunnel b in");
    CHECK(refused(in, keys::KeyLife::persistent));
    CHECK_THAT(message, Contains("SPI") && Contains("in use"));
    CHECK(life.control->spi_table().find(in.spi) == first);
    REQUIRE(life.control->remove(first).ok());
  }
  SECTION("no slot is free") {
    const SaId a = life.add(esp_sa(Direction::ingress, 3), "b");
    const SaId b = life.add(esp_sa(Direction::ingress, 4), "c");
    CHECK(refused(in, keys::KeyLife::persistent));
    CHECK_THAT(message, Contains("all 2 slots"));
    REQUIRE(life.control->remove(a).ok());
    REQUIRE(life.control->remove(b).ok());
  }
  SECTION("the key is not enrolled") {
    CHECK(refused(esp_sa(Direction::ingress, 9), keys::KeyLife::persistent));
    CHECK_THAT(message, Contains("linecryptctl key enroll"));
  }
  SECTION("the key is in use") {
    const SaId a = life.add(in, "tunnel a in");
    CHECK(refused(esp_sa(Direction::ingress, 1), keys::KeyLife::persistent));
    CHECK_THAT(message, Contains("tunnel a in"));
    REQUIRE(life.control->remove(a).ok());
  }
  CHECK(life.control->list().empty());
  // All of it is free again, twice over.
  const SaId again = life.add(in, "tunnel a in");
  CHECK(life.control->spi_table().find(in.spi) == again);
  CHECK(life.control->list().size() == 1);
  life.add(esp_sa(Direction::ingress, 5), "other");
}

TEST_CASE("An SA that the engine does not let go stays, with its lookup and its claim") {
  const TemporaryDirectory directory;
  Life life(engine_kinds().front(), directory.path());
  const EspSa in = esp_sa(Direction::ingress, 1);
  const SaId id = life.add(in, "tunnel a in");
  life.engine->refuse_remove = true;
  CHECK_FALSE(life.control->remove(id).ok());
  CHECK(life.control->spi_table().find(in.spi) == id);
  CHECK(life.control->slot(id) != nullptr);
  CHECK_FALSE(life.control->add(in, keys::KeyLife::persistent, "again").ok());
  life.engine->refuse_remove = false;
  CHECK(life.control->remove(id).ok());
  CHECK_FALSE(life.control->remove(id).ok());
  CHECK(life.control->slot(id) == nullptr);
  CHECK_FALSE(life.control->spi_table().find(in.spi).valid());
  const SaId again = life.add(in, "tunnel a in");
  CHECK(again != id);
}

TEST_CASE("Lifetimes in seconds: a message at the soft one, a stop at the hard one") {
  const TemporaryDirectory directory;
  Life life(any_engine(), directory.path());
  EspSa sa = esp_sa(Direction::egress, 1);
  sa.lifetime.soft.seconds = 10;
  sa.lifetime.hard.seconds = 20;
  const SaId id = life.add(sa, "tunnel a out");
  const SaId other = life.add(esp_sa(Direction::egress, 2), "tunnel b out");
  life.service_after(9000);
  CHECK(life.control->take_messages().empty());
  life.service_after(1000);
  life.service_after(1000);
  auto messages = life.control->take_messages();
  REQUIRE(messages.size() == 1);
  CHECK_THAT(messages.front(), Contains("tunnel a out: soft lifetime of 10 s"));
  CHECK(life.send(id) != 0);
  life.service_after(9000);
  messages = life.control->take_messages();
  REQUIRE(messages.size() == 1);
  CHECK_THAT(messages.front(), Contains("tunnel a out: hard lifetime of 20 s"));
  CHECK(life.send(id) == 0);
  CHECK(life.send(other) != 0);
  CHECK(life.control->list()[0].state.expired);
  CHECK(life.control->list()[0].age_seconds == 20);
}

TEST_CASE("Lifetimes in packets raise their messages once") {
  const TemporaryDirectory directory;
  Life life(any_engine(), directory.path());
  EspSa sa = esp_sa(Direction::egress, 1);
  sa.lifetime.soft.packets = 3;
  sa.lifetime.hard.packets = 5;
  const SaId id = life.add(sa, "tunnel a out");
  for (int i = 0; i < 50; ++i) {
    life.send(id);
    life.service_after(10);
  }
  const auto messages = life.control->take_messages();
  CHECK(messages.size() == 2);
  CHECK(count(messages, "soft lifetime") == 1);
  CHECK(count(messages, "hard lifetime") == 1);
}

TEST_CASE("A disk that fails stops an SA at its lease's end, is said once a minute, and heals") {
  FragileDisk disk(1);
  const TemporaryDirectory locks;
  auto registry = keys::open_registry(disk.open(), locks.path());
  REQUIRE(registry.ok());
  Life life(engine_kinds().front(), std::move(*registry));
  const EspSa sa = esp_sa(Direction::egress, 1, 0, false);
  const SaId id = life.add(sa, "tunnel a out");
  static_cast<void>(life.control->take_messages());
  disk.fail_always(true);
  for (std::uint64_t number = 1; number <= 4096; ++number) REQUIRE(life.send(id) == number);
  // 30 seconds in steps of 10 ms: the SA sends nothing, the log gets one sentence of each kind.
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(life.send(id) == 0);
    life.service_after(10);
  }
  auto messages = life.control->take_messages();
  CHECK(count(messages, "tunnel a out: no lease, the SA stops at number 4097") == 1);
  CHECK(count(messages, "dropped packets for want") == 1);
  CHECK(messages.size() == 2);
  REQUIRE(life.control->problems().size() == 1);
  CHECK_THAT(life.control->problems().front(), Contains("tunnel a out: no lease") && Contains("planted failure"));
  // A minute after the first it is said again, with how many were not.
  for (int i = 0; i < 3500; ++i) {
    life.send(id);
    life.service_after(10);
  }
  messages = life.control->take_messages();
  CHECK(count(messages, "no lease") == 1);
  CHECK(count(messages, "more of these since the last message") == 2);
  // Healed: numbers go on behind those it had, without a restart.
  disk.fail_always(false);
  life.service_after(1000);
  life.service_after(1000);
  CHECK(life.send(id) >= 4097);
  CHECK(life.control->problems().empty());
}

TEST_CASE("A hundred SAs that ask at once cost one batch on the disk") {
  FragileDisk disk(1);
  const TemporaryDirectory locks;
  auto registry = keys::open_registry(disk.open(), locks.path());
  REQUIRE(registry.ok());
  Life life(engine_kinds().front(), std::move(*registry), 100);
  std::vector<SaId> ids;
  for (std::uint8_t i = 0; i < 100; ++i) ids.push_back(life.add(macsec_sa(Direction::egress, i, 1), std::to_string(i)));
  for (const SaId id : ids)
    for (int i = 0; i < 2100; ++i) REQUIRE(life.send(id, Operation::macsec_protect) != 0);
  const std::uint64_t before = disk.operations();
  life.service_after(10);
  // Records, their sync, the witness, its sync.
  CHECK(disk.operations() - before == 4);
  for (const auto& space : life.registry->spaces()) CHECK(space.egress_next > 2 * 4096 - 1);
}

TEST_CASE("Ingress marks are written while they move and not when they stand") {
  FragileDisk disk(1);
  const TemporaryDirectory locks;
  auto registry = keys::open_registry(disk.open(), locks.path());
  REQUIRE(registry.ok());
  Life life(engine_kinds().front(), std::move(*registry));
  const SaId in = life.add(esp_sa(Direction::ingress, 1), "in");
  life.add(esp_sa(Direction::egress, 2), "idle out");
  std::uint64_t before = disk.operations();
  for (int i = 0; i < 100; ++i) life.service_after(1000);
  CHECK(disk.operations() == before);
  // The peer's packets, by an SA of the same key on another host.
  const TemporaryDirectory there;
  Life sender(engine_kinds().front(), there.path());
  const SaId out = sender.add(esp_sa(Direction::egress, 1), "out");
  Frame frame(clear_frame());
  REQUIRE(sender.run(frame, out, Operation::esp_encapsulate) == Verdict::ok);
  Frame arrived(frame.bytes());
  REQUIRE(life.run(arrived, in, Operation::esp_decapsulate) == Verdict::ok);
  before = disk.operations();
  life.service_after(1000);
  CHECK(disk.operations() - before == 4);
  CHECK(life.registry->state(life.registry->egress_space(esp_sa(Direction::ingress, 1)))->ingress_mark == 1);
  life.service_after(1000);
  CHECK(disk.operations() - before == 4);
}

TEST_CASE("Ephemeral keys need no enrolment and write nothing") {
  FragileDisk disk(1);
  const TemporaryDirectory locks;
  auto registry = keys::open_registry(disk.open(), locks.path());
  REQUIRE(registry.ok());
  Life life(engine_kinds().front(), std::move(*registry));
  const std::uint64_t before = disk.operations();
  const auto id = life.control->add(esp_sa(Direction::egress, 1, 0, false), keys::KeyLife::ephemeral, "ike out");
  REQUIRE(id.ok());
  for (std::uint64_t number = 1; number <= 9000; ++number) {
    REQUIRE(life.send(*id) == number);
    if (number % 500 == 0) life.service_after(10);
  }
  CHECK(disk.operations() == before);
  // Put back, it goes on.
  REQUIRE(life.control->remove(*id).ok());
  const auto again = life.control->add(esp_sa(Direction::egress, 1, 0, false), keys::KeyLife::ephemeral, "ike out");
  REQUIRE(again.ok());
  CHECK(life.send(*again) > 9000);
}

TEST_CASE("The list says what an SA is, and never its key") {
  const EngineKind& kind = any_engine();
  const TemporaryDirectory directory;
  Life life(kind, directory.path());
  const SaId out = life.add(esp_sa(Direction::egress, 0x41), "tunnel a out");
  life.add(macsec_sa(Direction::ingress, 0x61, 7, CipherSuite::gcm_aes_xpn_128), "macsec p rx an 0");
  life.send(out);
  const auto list = life.control->list();
  REQUIRE(list.size() == 2);
  CHECK(list[0].label == "tunnel a out");
  CHECK(list[0].protocol == "esp");
  CHECK(list[0].direction == "egress");
  CHECK(list[0].algorithm == "aes-gcm-256");
  CHECK(list[0].spi == 0x1041);
  CHECK(list[0].static_key);
  CHECK(list[0].state.next_number == 2);
  CHECK(list[0].engine == life.engine->capabilities().engine);
  CHECK(list[1].protocol == "macsec");
  CHECK(list[1].direction == "ingress");
  CHECK(list[1].algorithm == "gcm-aes-xpn-128");
  CHECK(list[1].sci == "02:00:00:00:00:01/7");
  for (const SaListing& one : list) {
    const std::string all = one.label + one.protocol + one.algorithm + one.engine + one.sci;
    CHECK(all.find("ABCDEFGH") == std::string::npos);
    CHECK(all.find("4142434445") == std::string::npos);
  }
}

TEST_CASE("Wrong options are refused by name") {
  const TemporaryDirectory directory;
  const auto registry = Life::opened(directory.path());
  auto engine = software::make_software_engine();
  REQUIRE(engine.ok());
  SaControlOptions options;
  CHECK_FALSE(SaControl::open(options).ok());
  options.engine = engine->get();
  options.registry = registry.get();
  options.max_sas = 0;
  const auto refused = SaControl::open(options);
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().message, Contains("max_sas: asked 0"));
  options.max_sas = 4;
  CHECK(SaControl::open(options).ok());
  // Closed by the first one's destructor: it can be opened again.
  CHECK(SaControl::open(options).ok());
}

}  // namespace
}  // namespace linecrypt::control
