// The Engine contract on every engine: ids, operations, stages, copies, bursts, and what control may change.
#include "linecrypt/engine.hpp"

#include <catch2/catch.hpp>

#include "tests/support/engines.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

const EngineKind& any_kind() {
  return engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))];
}

}  // namespace

TEST_CASE("A frame comes back as it was after ESP and after MACsec, in place") {
  Rig rig(any_kind());
  const SaId esp_out = rig.install(esp_sa(Direction::egress));
  const SaId esp_in = rig.install(esp_sa(Direction::ingress));
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress));
  const SaId macsec_in = rig.install(macsec_sa(Direction::ingress));
  Frame frame(clear_frame());
  CHECK(rig.run(frame.with(esp_out, Operation::esp_encapsulate)) == Verdict::ok);
  CHECK_FALSE(shows_payload(frame.memory));
  CHECK(rig.run(frame.with(esp_in, Operation::esp_decapsulate)) == Verdict::ok);
  CHECK(frame.bytes() == clear_frame());
  CHECK(rig.run(frame.with(macsec_out, Operation::macsec_protect)) == Verdict::ok);
  CHECK_FALSE(shows_payload(frame.memory));
  CHECK(rig.run(frame.with(macsec_in, Operation::macsec_validate)) == Verdict::ok);
  CHECK(frame.bytes() == clear_frame());
}

TEST_CASE("One trip takes a frame through ESP and MACsec, and back") {
  Rig rig(any_kind());
  const SaId esp_out = rig.install(esp_sa(Direction::egress), {5, 10});
  const SaId esp_in = rig.install(esp_sa(Direction::ingress));
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress), {77, 80});
  const SaId macsec_in = rig.install(macsec_sa(Direction::ingress));
  Frame frame(clear_frame());
  frame.job.stages = {Stage{esp_out, Operation::esp_encapsulate}, Stage{macsec_out, Operation::macsec_protect}};
  CHECK(rig.run(&frame.job) == Verdict::ok);
  CHECK(frame.job.verdict_stage == 1);
  CHECK(frame.job.number == 77);
  // 26 + 20 + ... : SecTAG with SCI and ICV around an ESP packet.
  CHECK(wire::load16(frame.packet.data + 12) == 0x88e5);
  frame.job.verdict = Verdict::pending;
  frame.job.stages = {Stage{macsec_in, Operation::macsec_validate}, Stage{esp_in, Operation::esp_decapsulate}};
  CHECK(rig.run(&frame.job) == Verdict::ok);
  CHECK(frame.job.number == 5);
  CHECK(frame.bytes() == clear_frame());
}

TEST_CASE("The verdict says which stage gave it, and later stages do not run") {
  Rig rig(any_kind());
  const SaId esp_out = rig.install(esp_sa(Direction::egress), {1, 1});  // nothing lent
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress));
  Frame first(clear_frame());
  first.job.stages = {Stage{esp_out, Operation::esp_encapsulate}, Stage{macsec_out, Operation::macsec_protect}};
  CHECK(rig.run(&first.job) == Verdict::lease_exhausted);
  CHECK(first.job.verdict_stage == 0);
  CHECK(rig.slot(macsec_out).counters.packets.get() == 0);
  Frame second(clear_frame());
  second.job.stages = {Stage{macsec_out, Operation::macsec_protect}, Stage{esp_out, Operation::macsec_protect}};
  CHECK(rig.run(&second.job) == Verdict::wrong_operation);
  CHECK(second.job.verdict_stage == 1);
}

TEST_CASE("An id of another generation, of no slot or of no SA is stale") {
  Rig rig(any_kind());
  const SaId id = rig.install(esp_sa(Direction::egress));
  Frame frame(clear_frame());
  for (const SaId wrong : {SaId{id.index, id.generation + 1}, SaId{id.index, 0}, SaId{id.index + 1, id.generation},
                           SaId{8, 1}, SaId{0xffffffffU, 1}, SaId{}}) {
    CHECK(rig.run(frame.with(wrong, Operation::esp_encapsulate)) == Verdict::stale_sa);
    CHECK_FALSE(rig.engine().read(wrong).ok());
    CHECK_FALSE(rig.engine().remove(wrong).ok());
    CHECK_FALSE(rig.engine().update(wrong, Expire{}).ok());
  }
  CHECK(frame.bytes() == clear_frame());
  REQUIRE(rig.engine().remove(id).ok());
  CHECK(rig.run(frame.with(id, Operation::esp_encapsulate)) == Verdict::stale_sa);
}

TEST_CASE("An operation runs only on an SA of its protocol and direction") {
  Rig rig(any_kind());
  const std::pair<SaId, Operation> right[] = {
      {rig.install(esp_sa(Direction::egress)), Operation::esp_encapsulate},
      {rig.install(esp_sa(Direction::ingress)), Operation::esp_decapsulate},
      {rig.install(macsec_sa(Direction::egress)), Operation::macsec_protect},
      {rig.install(macsec_sa(Direction::ingress)), Operation::macsec_validate},
  };
  Frame frame(clear_frame());
  for (const auto& [id, own] : right) {
    for (const Operation operation : {Operation::none, Operation::esp_encapsulate, Operation::esp_decapsulate,
                                      Operation::macsec_protect, Operation::macsec_validate}) {
      if (operation == own) continue;
      CHECK(rig.run(frame.with(id, operation)) == Verdict::wrong_operation);
      CHECK(frame.bytes() == clear_frame());
    }
  }
}

TEST_CASE("Out of place, the source stays and the destination gets the result") {
  Rig rig(any_kind());
  const SaId out = rig.install(esp_sa(Direction::egress));
  const SaId in = rig.install(esp_sa(Direction::ingress));
  Frame source(clear_frame());
  Frame sealed(Bytes(1, 0));
  sealed.memory.resize(600);
  sealed.packet = {sealed.memory.data() + 128, 0, 128, 472, nullptr};
  source.with(out, Operation::esp_encapsulate)->destination = &sealed.packet;
  CHECK(rig.run(&source.job) == Verdict::ok);
  CHECK(source.bytes() == clear_frame());
  Frame opened(Bytes(400, 0));
  sealed.with(in, Operation::esp_decapsulate)->destination = &opened.packet;
  const Bytes sealed_bytes = sealed.bytes();
  CHECK(rig.run(&sealed.job) == Verdict::ok);
  CHECK(sealed.bytes() == sealed_bytes);
  CHECK(opened.bytes() == clear_frame());
}

TEST_CASE("What does not fit, has segments or is too long is refused untouched") {
  Rig rig(any_kind());
  const SaId out = rig.install(esp_sa(Direction::egress));
  Frame source(clear_frame());
  Frame small(Bytes(1, 0));
  small.packet = {small.memory.data(), 0, 0, source.packet.length - 1, nullptr};
  const Bytes before = small.memory;
  source.with(out, Operation::esp_encapsulate)->destination = &small.packet;
  CHECK(rig.run(&source.job) == Verdict::no_buffer);
  CHECK(small.memory == before);

  Packet second{};
  source.packet.next = &second;
  source.with(out, Operation::esp_encapsulate)->destination = &source.packet;
  CHECK(rig.run(&source.job) == Verdict::unsupported);
  CHECK(source.bytes() == clear_frame());

  Frame huge(Bytes(rig.engine().capabilities().max_packet + 1, 0x45));
  CHECK(rig.run(huge.with(out, Operation::esp_encapsulate)) == Verdict::oversize);
  CHECK(rig.engine().read(out)->next_number == 1);
}

TEST_CASE("A burst of any size, mixed in SAs, protocols and directions, gives each frame its own answer") {
  Rig rig(any_kind());
  const SaId esp_out = rig.install(esp_sa(Direction::egress));
  const SaId esp_in = rig.install(esp_sa(Direction::ingress));
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress));
  const SaId macsec_in = rig.install(macsec_sa(Direction::ingress));
  for (const std::size_t size : {1U, 2U, 63U, 64U, 65U, 128U, 200U}) {
    std::vector<std::unique_ptr<Frame>> frames;
    std::vector<Job*> jobs;
    const auto all = [&](auto&& stage) {
      jobs.clear();
      for (std::size_t i = 0; i < size; ++i) {
        const Stage one = stage(i);
        jobs.push_back(frames[i]->with(one.sa, one.operation));
      }
      rig.run(jobs);
    };
    for (std::size_t i = 0; i < size; ++i) frames.push_back(std::make_unique<Frame>(clear_frame(i)));
    all([&](std::size_t i) {
      if (i % 5 == 4) return Stage{SaId{99, 1}, Operation::esp_encapsulate};
      return i % 2 == 0 ? Stage{esp_out, Operation::esp_encapsulate} : Stage{macsec_out, Operation::macsec_protect};
    });
    for (std::size_t i = 0; i < size; ++i)
      if (jobs[i]->verdict != (i % 5 == 4 ? Verdict::stale_sa : Verdict::ok)) FAIL("frame " << i << " of " << size);
    // Half of the frames go on outwards while the others come back in the same burst.
    std::vector<std::unique_ptr<Frame>> more;
    std::vector<Job*> both;
    for (std::size_t i = 0; i < size; ++i) {
      if (i % 5 != 4)
        both.push_back(i % 2 == 0 ? frames[i]->with(esp_in, Operation::esp_decapsulate)
                                  : frames[i]->with(macsec_in, Operation::macsec_validate));
      more.push_back(std::make_unique<Frame>(clear_frame(i)));
      both.push_back(more.back()->with(macsec_out, Operation::macsec_protect));
    }
    rig.run(both);
    for (std::size_t i = 0; i < both.size(); ++i)
      if (both[i]->verdict != Verdict::ok) FAIL("frame " << i << " back: " << name(both[i]->verdict));
    for (std::size_t i = 0; i < size; ++i)
      if (i % 5 != 4 && frames[i]->bytes() != clear_frame(i)) FAIL("frame " << i << " came back changed");
  }
}

TEST_CASE("Copies of one packet in one burst are accepted once, and the others leave no clear text") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  MacsecSa receive = macsec_sa(Direction::ingress);
  receive.secy.replay_window = 64;
  receive.secy.duplicate_bitmap = 64;
  const SaId out = esp ? rig.install(esp_sa(Direction::egress)) : rig.install(macsec_sa(Direction::egress));
  const SaId in = esp ? rig.install(esp_sa(Direction::ingress)) : rig.install(std::move(receive));
  Frame original(clear_frame());
  REQUIRE(rig.run(original.with(out, esp ? Operation::esp_encapsulate : Operation::macsec_protect)) == Verdict::ok);
  std::vector<std::unique_ptr<Frame>> copies;
  std::vector<Job*> jobs;
  for (int i = 0; i < 20; ++i) {
    copies.push_back(std::make_unique<Frame>(original.bytes()));
    jobs.push_back(copies.back()->with(in, esp ? Operation::esp_decapsulate : Operation::macsec_validate));
  }
  rig.run(jobs);
  CHECK(copies[0]->bytes() == clear_frame());
  for (std::size_t i = 1; i < copies.size(); ++i) {
    CHECK(jobs[i]->verdict == Verdict::replay_duplicate);
    CHECK_FALSE(shows_payload(copies[i]->memory));
  }
  CHECK(rig.slot(in).counters.packets.get() == 1);
}

TEST_CASE("A changed packet leaves zeros and moves nothing") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  const SaId out = esp ? rig.install(esp_sa(Direction::egress)) : rig.install(macsec_sa(Direction::egress));
  const SaId in = esp ? rig.install(esp_sa(Direction::ingress)) : rig.install(macsec_sa(Direction::ingress));
  Frame sealed(clear_frame());
  REQUIRE(rig.run(sealed.with(out, esp ? Operation::esp_encapsulate : Operation::macsec_protect)) == Verdict::ok);
  Bytes changed = sealed.bytes();
  changed[changed.size() - 40] ^= 1U;
  Frame frame(changed);
  Frame elsewhere(Bytes(600, 0x11));
  frame.with(in, esp ? Operation::esp_decapsulate : Operation::macsec_validate);
  const bool in_place = GENERATE(true, false);
  if (!in_place) frame.job.destination = &elsewhere.packet;
  CHECK(rig.run(&frame.job) == (esp ? Verdict::esp_bad_icv : Verdict::macsec_not_valid));
  const Packet& left = *frame.job.destination;
  CHECK(std::all_of(left.data + left.length - 60, left.data + left.length, [](auto byte) { return byte == 0; }));
  CHECK_FALSE(shows_payload(frame.memory));
  CHECK_FALSE(shows_payload(elsewhere.memory));
  CHECK(rig.engine().read(in)->window_top == 0);
  CHECK(rig.slot(in).counters.packets.get() == 0);
  CHECK(rig.slot(in).counters.bad_icv.get() == 1);
}

TEST_CASE("After a restart, numbers up to the mark are refused and the next is taken") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  const std::uint64_t mark = GENERATE(std::uint64_t{9}, std::uint64_t{0xfffffffeU}, std::uint64_t{0x500000003U});
  const auto seal = esp ? Operation::esp_encapsulate : Operation::macsec_protect;
  const auto open = esp ? Operation::esp_decapsulate : Operation::macsec_validate;
  const Lease lease{mark - 3, mark + 10};
  const SaId out =
      esp ? rig.install(esp_sa(Direction::egress), lease) : rig.install(macsec_sa(Direction::egress), lease);
  const SaId in =
      esp ? rig.install(esp_sa(Direction::ingress), {}, mark) : rig.install(macsec_sa(Direction::ingress), {}, mark);
  CHECK(rig.engine().read(in)->window_top == mark);
  for (std::uint64_t number = lease.begin; number < lease.end; ++number) {
    Frame frame(clear_frame());
    REQUIRE(rig.run(frame.with(out, seal)) == Verdict::ok);
    REQUIRE(frame.job.number == number);
    const Verdict verdict = rig.run(frame.with(in, open));
    if (number > mark)
      CHECK(verdict == Verdict::ok);
    else
      CHECK((verdict == Verdict::replay_late || verdict == Verdict::replay_duplicate));
  }
  CHECK(rig.engine().read(in)->window_top == mark + 9);
}

TEST_CASE("Install refuses by name and changes nothing") {
  Rig rig(any_kind());
  Engine& engine = rig.engine();
  const auto refused = [&](SaId id, const Sa& sa, Lease lease, std::uint64_t top, const std::string& why) {
    const auto result = engine.install(id, sa, lease, top);
    INFO(why);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == why);
    Frame frame(clear_frame());
    if (id.index < 8) CHECK(rig.run(frame.with(id, Operation::esp_encapsulate)) == Verdict::stale_sa);
  };
  refused({8, 1}, esp_sa(Direction::egress), {1, 2}, 0, "SA index 8, allowed: 0 to 7");
  refused({3, 0}, esp_sa(Direction::egress), {1, 2}, 0, "SA 3: generation 0, allowed: 1 and above");
  refused({3, 1}, esp_sa(Direction::egress), {0, 2}, 0, "lease: begins at 0, allowed: numbers from 1");
  refused({3, 1}, esp_sa(Direction::egress), {3, 2}, 0, "lease: 3 to 2, allowed: an end not below its begin");
  EspSa wrong = esp_sa(Direction::egress);
  wrong.spi = 7;
  refused({3, 1}, std::move(wrong), {1, 2}, 0, "spi: asked 7, allowed 256 and above (RFC 4303 2.1)");
  EspSa narrow = esp_sa(Direction::ingress);
  narrow.esn = false;
  refused({3, 1}, std::move(narrow), {}, 0x100000000ULL, "window_top: 4294967296, allowed: at most 4294967295");
  const SaId id = rig.install(esp_sa(Direction::egress), {1, 100});
  refused({id.index, id.generation + 1}, esp_sa(Direction::egress), {1, 2}, 0,
          "SA slot 0 is in use by generation 1; remove that first");
  CHECK(engine.read(id)->lease_end == 100);
}

TEST_CASE("A slot used again starts from nothing") {
  Rig rig(any_kind(), 1);
  EspSa limited = esp_sa(Direction::egress);
  limited.lifetime.hard.packets = 1;
  const SaId first = rig.install(std::move(limited), {1, 1000});
  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(first, Operation::esp_encapsulate)) == Verdict::ok);
  REQUIRE(rig.engine().update(first, GrantLease{{1000, 2000}}).ok());
  REQUIRE(rig.engine().remove(first).ok());
  CHECK(rig.slot(first).counters.packets.get() == 1);  // for the totals that survive rekey
  const SaId second = rig.install(esp_sa(Direction::egress), {50, 51});
  CHECK(rig.events().empty());
  CHECK(rig.slot(second).counters.packets.get() == 0);
  CHECK_FALSE(rig.engine().read(second)->expired);
  Frame next(clear_frame());
  CHECK(rig.run(next.with(second, Operation::esp_encapsulate)) == Verdict::ok);
  CHECK(next.job.number == 50);
  // The first SA's lease in the mailbox is gone with it.
  CHECK(rig.run(next.with(second, Operation::esp_encapsulate)) == Verdict::lease_exhausted);
  CHECK(rig.run(next.with(first, Operation::esp_encapsulate)) == Verdict::stale_sa);
}

TEST_CASE("Removing waits for the workers once the id is stale") {
  struct Watch {
    SaSlot* slot = nullptr;
    int calls = 0;
    bool stale_first = true;
  } watch;
  const Reclamation reclamation{&watch, [](void* self) {
                                  auto* seen = static_cast<Watch*>(self);
                                  ++seen->calls;
                                  if (seen->slot != nullptr && seen->slot->generation.load() != 0)
                                    seen->stale_first = false;
                                }};
  Rig rig(any_kind(), 4, reclamation);
  const SaId id = rig.install(esp_sa(Direction::egress));
  watch.slot = &rig.slot(id);
  watch.calls = 0;
  REQUIRE(rig.engine().remove(id).ok());
  CHECK(watch.calls == 1);
  CHECK(watch.stale_first);
  CHECK(rig.slot(id).context == nullptr);
}

TEST_CASE("A moved peer changes the address and port of the next packet, and keeps key and numbers") {
  Rig rig(any_kind());
  EspSa out_sa = esp_sa(Direction::egress);
  EspSa in_sa = esp_sa(Direction::ingress);
  out_sa.udp = UdpEncapsulation{};
  in_sa.udp = UdpEncapsulation{4500, 4500, true};
  const SaId out = rig.install(std::move(out_sa));
  const SaId in = rig.install(std::move(in_sa));
  const SaId plain = rig.install(esp_sa(Direction::egress));
  IpAddress moved;
  moved.bytes = {198, 51, 100, 77};

  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  CHECK(to_hex(frame.bytes()).substr(60, 8) == "c0000202");
  REQUIRE(rig.engine().update(out, SetPeer{moved, 61000}).ok());
  Frame next(clear_frame());
  REQUIRE(rig.run(next.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  CHECK(to_hex(next.bytes()).substr(60, 8) == "c633644d");
  CHECK(wire::load16(next.packet.data + 36) == 61000);
  CHECK(next.job.number == 2);

  // The other way: the peer's packets now come from there.
  REQUIRE(rig.engine().update(in, SetPeer{moved, 61000}).ok());
  CHECK(rig.run(frame.with(in, Operation::esp_decapsulate)) == Verdict::esp_outer_mismatch);
  IpAddress back;
  back.bytes = {192, 0, 2, 1};
  REQUIRE(rig.engine().update(in, SetPeer{back, 4500}).ok());
  CHECK(rig.run(frame.with(in, Operation::esp_decapsulate)) == Verdict::ok);
  CHECK(frame.bytes() == clear_frame());

  IpAddress other;
  other.family = Family::ipv6;
  other.bytes[15] = 1;
  CHECK(rig.engine().update(out, SetPeer{other, 4500}).error().message ==
        "SetPeer: address ::1, allowed: one of the family of 198.51.100.77");
  CHECK(rig.engine().update(out, SetPeer{moved, 0}).error().message == "SetPeer: port 0, allowed: 1 to 65535");
  CHECK(rig.engine().update(plain, SetPeer{moved, 4500}).error().message ==
        "SetPeer: allowed on ESP SAs with UDP encapsulation only");
}

TEST_CASE("A raised lowest PN refuses what lies below it, and never goes back") {
  Rig rig(any_kind());
  MacsecSa receive = macsec_sa(Direction::ingress);
  receive.secy.replay_window = 1000;
  const SaId out = rig.install(macsec_sa(Direction::egress));
  const SaId in = rig.install(std::move(receive));
  std::vector<std::unique_ptr<Frame>> frames;
  for (int i = 0; i < 10; ++i) {
    frames.push_back(std::make_unique<Frame>(clear_frame()));
    REQUIRE(rig.run(frames.back()->with(out, Operation::macsec_protect)) == Verdict::ok);
  }
  REQUIRE(rig.engine().update(in, RaiseLowestPn{6}).ok());
  REQUIRE(rig.engine().update(in, RaiseLowestPn{3}).ok());
  for (std::size_t i = 0; i < 10; ++i)
    CHECK(rig.run(frames[i]->with(in, Operation::macsec_validate)) == (i + 1 < 6 ? Verdict::replay_late : Verdict::ok));
  CHECK(rig.engine().update(out, RaiseLowestPn{6}).error().message ==
        "RaiseLowestPn: allowed on MACsec ingress SAs only");
}

TEST_CASE("Open refuses what it cannot serve, and a closed engine refuses everything") {
  const auto slots = std::make_unique<SaSlot[]>(2);  // outlives the engine
  auto made = software::make_software_engine();
  REQUIRE(made.ok());
  Engine& engine = **made;
  CHECK(engine.install({0, 1}, esp_sa(Direction::egress), {1, 2}, 0).error().message == "engine software: closed");
  CHECK_FALSE(engine.read({0, 1}).ok());
  CHECK(engine.open({}).error().message == "slots: asked 0, allowed 1 to 1048576");
  EngineSetup setup;
  setup.slots = {slots.get(), 2};
  setup.queues = 65;
  CHECK(engine.open(setup).error().message == "queues: asked 65, allowed 1 to 64");
  setup.queues = 2;
  // Whatever an earlier user left in the slots, they are free afterwards.
  slots[1].generation = 9;
  REQUIRE(engine.open(setup).ok());
  CHECK(slots[1].generation == 0);
  CHECK_FALSE(engine.open(setup).ok());
  REQUIRE(engine.install({1, 1}, esp_sa(Direction::egress), {1, 2}, 0).ok());
  engine.close();
  CHECK(slots[1].generation == 0);
  CHECK(slots[1].context == nullptr);
  REQUIRE(engine.open(setup).ok());
  CHECK_FALSE(engine.read({1, 1}).ok());
}
