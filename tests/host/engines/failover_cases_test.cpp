// What an SA brings along when it moves, and where it lives: one case at a time.
#include <catch2/catch.hpp>

#include "tests/host/engines/failover_rig.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
using engines::PrimaryUse;

namespace {

SaId id(std::uint32_t index) {
  return FailoverRig::id(index);
}

RigOptions plain(std::uint32_t late = 0) {
  RigOptions options;
  options.primary_late = late;
  options.failover = short_times();
  return options;
}

// One clear frame out; the verdict, and the number where it was sent.
std::pair<Verdict, std::uint64_t> send(FailoverRig& rig, std::uint32_t index = out_esp, int turns = 2000) {
  Frame frame(clear_frame());
  Job* job = frame.with(id(index), index == out_macsec ? Operation::macsec_protect : Operation::esp_encapsulate);
  Job* done[4];
  std::uint32_t taken = 0;
  for (int i = 0; i < turns && (taken == 0 || job->verdict == Verdict::pending); ++i) {
    if (taken == 0) taken = rig.engine->submit(QueueId{0}, {&job, 1});
    rig.engine->poll(QueueId{0}, done);
    rig.service();
    rig.now_ns += millisecond;
  }
  return {job->verdict, job->number};
}

// The peer's ESP frame with this number, in.
Verdict receive(FailoverRig& rig, std::uint64_t number) {
  static std::unique_ptr<Engine> peer;
  static SaSlot slots[1];
  if (peer == nullptr) {
    peer = software::make_software_engine().value();
    EngineSetup setup;
    setup.slots = slots;
    REQUIRE(peer->open(setup).ok());
  }
  REQUIRE(peer->install({0, 1}, rig_sa(in_esp, Direction::egress), {number, number + 1}, 0).ok());
  Frame frame(clear_frame());
  Job* job = frame.with({0, 1}, Operation::esp_encapsulate);
  REQUIRE(peer->submit(QueueId{0}, {&job, 1}) == 1);
  REQUIRE(job->verdict == Verdict::ok);
  REQUIRE(peer->remove({0, 1}).ok());
  job = frame.with(id(in_esp), Operation::esp_decapsulate);
  Job* done[4];
  std::uint32_t taken = 0;
  for (int i = 0; i < 500 && (taken == 0 || job->verdict == Verdict::pending); ++i) {
    if (taken == 0) taken = rig.engine->submit(QueueId{0}, {&job, 1});
    rig.engine->poll(QueueId{0}, done);
    rig.service();
    rig.now_ns += millisecond;
  }
  return job->verdict;
}

void lose_for_good(FailoverRig& rig) {
  rig.primary->refuse_recoveries(1'000'000);
  rig.primary->lose("pulled out");
  for (int i = 0; i < 20; ++i) {
    rig.work();
    rig.service();
    rig.now_ns += millisecond;
  }
}

void come_back(FailoverRig& rig) {
  rig.primary->refuse_recoveries(0);
  REQUIRE(rig.settle());
  REQUIRE(rig.engine->status().use == PrimaryUse::used);
}

std::string engine_of(FailoverRig& rig, std::uint32_t index) {
  return rig.engine->placement(id(index))->engine;
}

}  // namespace

TEST_CASE("The replay window goes to software bit for bit, and back to the card with all below its top seen") {
  FailoverRig rig(plain());
  rig.install_all();
  for (std::uint64_t n = 1; n <= 60; ++n)
    if (n != 50 && n != 40 && n != 30) REQUIRE(receive(rig, n) == Verdict::ok);
  REQUIRE(engine_of(rig, in_esp) == "card");
  lose_for_good(rig);
  CHECK(engine_of(rig, in_esp) == "faulty software");
  CHECK(receive(rig, 50) == Verdict::ok);
  CHECK(receive(rig, 50) == Verdict::replay_duplicate);
  CHECK(receive(rig, 51) == Verdict::replay_duplicate);
  CHECK(receive(rig, 61) == Verdict::ok);
  come_back(rig);
  REQUIRE(engine_of(rig, in_esp) == "card");
  CHECK(receive(rig, 40) == Verdict::replay_duplicate);
  CHECK(receive(rig, 61) == Verdict::replay_duplicate);
  CHECK(receive(rig, 62) == Verdict::ok);
  // What the card never saw as fresh, software does not either.
  lose_for_good(rig);
  CHECK(receive(rig, 40) == Verdict::replay_duplicate);
  CHECK(receive(rig, 63) == Verdict::ok);
  CHECK(rig.engine->read(id(in_esp))->window_top == 63);
  CHECK(rig.slots[in_esp].window.top() == 63);
}

TEST_CASE("Counters go on, wherever the SA is") {
  FailoverRig rig(plain(2));
  rig.install_all();
  for (std::uint64_t n = 1; n <= 5; ++n) REQUIRE(receive(rig, n) == Verdict::ok);
  REQUIRE(receive(rig, 5) == Verdict::replay_duplicate);
  lose_for_good(rig);
  for (std::uint64_t n = 6; n <= 8; ++n) REQUIRE(receive(rig, n) == Verdict::ok);
  come_back(rig);
  REQUIRE(receive(rig, 9) == Verdict::ok);
  REQUIRE(receive(rig, 9) == Verdict::replay_duplicate);
  REQUIRE(rig.engine->read(id(in_esp)).ok());
  CHECK(rig.slots[in_esp].counters.packets.get() == 9);
  CHECK(rig.slots[in_esp].counters.bytes.get() == 9 * (clear_frame().size() - 14));
  CHECK(rig.slots[in_esp].counters.duplicate.get() == 2);
  CHECK(rig.engine->status().failovers == 1);
  CHECK(rig.engine->status().returns == 1);
}

TEST_CASE("Lifetimes count on across moves: soft is said once, hard stops the SA in its new engine") {
  FailoverRig rig(plain());
  EspSa sa = std::get<EspSa>(rig_sa(out_esp, Direction::egress));
  sa.lifetime.soft.packets = 6;
  sa.lifetime.hard.packets = 10;
  REQUIRE(rig.engine->install(id(out_esp), Sa(std::move(sa)), rig.lend(out_esp), 0).ok());
  for (int i = 0; i < 4; ++i) REQUIRE(send(rig).first == Verdict::ok);
  lose_for_good(rig);
  CHECK(rig.events_seen[EventKind::soft_lifetime] == 0);
  for (int i = 0; i < 4; ++i) REQUIRE(send(rig).first == Verdict::ok);
  rig.service();
  CHECK(rig.events_seen[EventKind::soft_lifetime] == 1);
  come_back(rig);
  for (int i = 0; i < 2; ++i) REQUIRE(send(rig).first == Verdict::ok);
  CHECK(send(rig).first == Verdict::hard_expired);
  rig.service();
  CHECK(rig.events_seen[EventKind::soft_lifetime] == 1);
  CHECK(rig.events_seen[EventKind::hard_lifetime] == 1);
  CHECK(rig.engine->read(id(out_esp))->expired);
  // Stopped it stays, in the next engine too, and needs no lease to say so.
  rig.lend_nothing = true;
  lose_for_good(rig);
  CHECK(send(rig).first == Verdict::hard_expired);
}

TEST_CASE("Updates reach the engine that has the SA and the next one") {
  FailoverRig rig(plain());
  rig.install_all();
  REQUIRE(rig.engine->update(id(in_macsec), RaiseLowestPn{100}).ok());
  REQUIRE(rig.engine->update(id(out_esp), Expire{}).ok());
  CHECK_FALSE(rig.engine->update(id(out_macsec), RaiseLowestPn{100}).ok());
  CHECK_FALSE(rig.engine->update(id(out_esp), SetPeer{}).ok());
  CHECK_FALSE(rig.engine->update(id(in_macsec), RestoreWindow{}).ok());
  CHECK_FALSE(rig.engine->update({out_esp, 9}, Expire{}).ok());
  CHECK(send(rig).first == Verdict::hard_expired);
  lose_for_good(rig);
  CHECK(send(rig).first == Verdict::hard_expired);
  auto& parcel = rig.make_ingress(in_macsec, false);
  const Job* job = &parcel.frame->job;
  REQUIRE(rig.settle(200) == false);  // the primary stays lost
  static_cast<void>(job);
  CHECK(rig.verdicts[Verdict::replay_late] == 1);
}

TEST_CASE("Without a lease traffic stops by its name after the hold limit, goes on with one, and ingress never stops") {
  FailoverRig rig(plain());
  rig.install_all();
  REQUIRE(send(rig).first == Verdict::ok);
  rig.lend_nothing = true;
  lose_for_good(rig);
  const auto began = rig.now_ns.load();
  CHECK(rig.engine->read(id(out_esp))->lease_wanted);
  CHECK(receive(rig, 1) == Verdict::ok);
  CHECK(rig.now_ns.load() - began < 5 * millisecond);
  const Verdict first = send(rig).first;
  CHECK((first == Verdict::engine_busy || first == Verdict::lease_exhausted));
  CHECK(send(rig).first == Verdict::lease_exhausted);
  CHECK(rig.engine->read(id(out_esp))->lease_wanted);
  rig.lend_nothing = false;
  rig.service();
  const auto [verdict, number] = send(rig);
  CHECK(verdict == Verdict::ok);
  CHECK(number > rig.options.lease_size);
  CHECK_FALSE(rig.engine->read(id(out_esp))->lease_wanted);
}

TEST_CASE("Numbers that were skipped are not told as sent") {
  FailoverRig rig(plain());
  rig.install_all();
  REQUIRE(send(rig).second == 1);
  REQUIRE(send(rig).second == 2);
  lose_for_good(rig);
  const auto state = rig.engine->read(id(out_esp));
  CHECK(state->next_number == 3);
  CHECK(state->lease_end > rig.options.lease_size);
  const auto [verdict, number] = send(rig);
  CHECK(number > rig.options.lease_size);
  CHECK(rig.engine->read(id(out_esp))->next_number == number + 1);
  CHECK(rig.engine->status().numbers_skipped >= rig.options.lease_size - 2);
  // And no more than two leases an SA: the one in use, and the next that it may have had.
  CHECK(rig.engine->status().numbers_skipped <= 3 * 2 * rig.options.lease_size);
}

TEST_CASE("An SA that the card refuses lives in software from the start, and says why") {
  FailoverRig rig(plain());
  rig.install_all();
  const auto placement = rig.engine->placement(id(out_esp_192));
  CHECK(placement->engine == "faulty software");
  CHECK(placement->reason.find("192") != std::string::npos);
  CHECK(rig.engine->placement(id(out_esp))->engine == "card");
  CHECK(rig.engine->placement(id(out_esp))->reason.empty());
  CHECK(send(rig, out_esp_192).first == Verdict::ok);
  lose_for_good(rig);
  come_back(rig);
  CHECK(rig.engine->placement(id(out_esp_192))->engine == "faulty software");
  CHECK(rig.engine->status().sas_pinned == 1);
}

TEST_CASE("Egress that the card does not process takes its SA to software; the packet goes there too") {
  FailoverRig rig(plain(2));
  rig.install_all();
  REQUIRE(send(rig).first == Verdict::ok);
  rig.primary->answer(1, Verdict::unsupported);
  const auto [verdict, number] = send(rig);
  CHECK(verdict == Verdict::ok);
  CHECK(number > rig.options.lease_size);
  CHECK(engine_of(rig, out_esp) == "faulty software");
  CHECK(rig.engine->placement(id(out_esp))->reason.find("does not process") != std::string::npos);
  CHECK(engine_of(rig, out_macsec) == "card");
  CHECK(rig.engine->status().jobs_punted == 1);
  // It stays there.
  lose_for_good(rig);
  come_back(rig);
  CHECK(engine_of(rig, out_esp) == "faulty software");
  CHECK(rig.ledger.twice() == 0);
}

TEST_CASE("Ingress that the card does not process moves nothing: anybody can send it") {
  FailoverRig rig(plain(2));
  rig.install_all();
  rig.primary->answer(1, Verdict::unsupported);
  CHECK(receive(rig, 1) == Verdict::unsupported);
  CHECK(engine_of(rig, in_esp) == "card");
  CHECK(rig.engine->status().jobs_refused == 1);
  CHECK(receive(rig, 1) == Verdict::ok);
}

TEST_CASE("The card is watched before it is used again, longer after each loss") {
  FailoverRig rig(plain());
  rig.install_all();
  std::vector<std::uint64_t> away;
  for (int loss = 0; loss < 4; ++loss) {
    const auto lost_at = rig.now_ns.load();
    rig.primary->lose("again");
    REQUIRE(rig.settle());
    REQUIRE(send(rig).first == Verdict::ok);
    REQUIRE(rig.engine->status().returns == static_cast<std::uint64_t>(loss) + 1);
    away.push_back(rig.engine->status().away_ns);
    static_cast<void>(lost_at);
  }
  const auto spent = [&](std::size_t i) { return (away[i] - away[i - 1]) / millisecond; };
  CHECK(away[0] / millisecond >= 10);
  CHECK(away[0] / millisecond < 20);
  CHECK(spent(1) >= 20);
  CHECK(spent(2) >= 40);
  CHECK(spent(3) >= 40);  // no longer than the longest
  CHECK(spent(3) < 60);
  // Long after, it is trusted as at first.
  rig.now_ns += short_times().forget_ns + millisecond;
  rig.service();
  const auto before = rig.engine->status().away_ns;
  rig.primary->lose("once more");
  REQUIRE(rig.settle());
  CHECK((rig.engine->status().away_ns - before) / millisecond < 20);
}

TEST_CASE("A card that is lost again while it is watched is not used") {
  FailoverRig rig(plain());
  rig.install_all();
  rig.primary->lose("first");
  for (int i = 0; i < 200 && rig.engine->status().use != PrimaryUse::resting; ++i) {
    rig.service();
    rig.now_ns += millisecond;
  }
  REQUIRE(rig.engine->status().use == PrimaryUse::resting);
  CHECK(engine_of(rig, out_esp) == "faulty software");
  rig.primary->lose("second");
  rig.service();
  CHECK(rig.engine->status().use != PrimaryUse::resting);
  CHECK(rig.engine->status().returns == 0);
  CHECK(send(rig).first == Verdict::ok);
  come_back(rig);
  CHECK(engine_of(rig, out_esp) == "card");
}

TEST_CASE("Without a secondary what is lost comes back as engine_lost, and traffic goes on when the card is back") {
  RigOptions options = plain(3);
  options.has_secondary = false;
  FailoverRig rig(std::move(options));
  for (const std::uint32_t index : {std::uint32_t{out_esp}, std::uint32_t{out_macsec}})
    REQUIRE(rig.engine->install(id(index), rig_sa(index, Direction::egress), rig.lend(index), 0).ok());
  REQUIRE(rig.engine->install(id(in_esp), rig_sa(in_esp, Direction::ingress), {}, 0).ok());
  const auto refused = rig.engine->install(id(out_esp_192), rig_sa(out_esp_192, Direction::egress), {1, 9}, 0);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("192") != std::string::npos);
  REQUIRE(send(rig).first == Verdict::ok);
  REQUIRE(receive(rig, 1) == Verdict::ok);
  lose_for_good(rig);
  CHECK(rig.engine->status().sas_nowhere == 3);
  CHECK(engine_of(rig, out_esp) == "none");
  CHECK(send(rig).first == Verdict::engine_lost);
  CHECK(receive(rig, 2) == Verdict::engine_lost);
  come_back(rig);
  CHECK(engine_of(rig, out_esp) == "card");
  const auto [verdict, number] = send(rig);
  CHECK(verdict == Verdict::ok);
  CHECK(number > rig.options.lease_size);
  CHECK(receive(rig, 1) == Verdict::replay_duplicate);
  CHECK(receive(rig, 2) == Verdict::ok);
  CHECK(rig.ledger.twice() == 0);
}

TEST_CASE("An SA is removed at every stage of its way") {
  const int stage = GENERATE(range(0, 12));
  RigOptions options = plain(4);
  FailoverRig rig(std::move(options));
  rig.install_all();
  Frame frame(clear_frame());
  Job* job = frame.with(id(out_esp), Operation::esp_encapsulate);
  while (rig.engine->submit(QueueId{0}, {&job, 1}) == 0) {
  }
  rig.primary->lose("now");
  Job* done[4];
  std::uint32_t came = job->verdict == Verdict::pending ? 0 : 1;
  Event some[8];
  for (int i = 0; i < stage; ++i) {
    if (i % 2 == 0) came += rig.engine->poll(QueueId{0}, done);
    if (i % 3 == 0) rig.engine->events(some);
    if (i == 7) static_cast<void>(rig.engine->update(id(out_esp), GrantLease{{1000, 1100}}).ok());
    rig.now_ns += millisecond;
  }
  REQUIRE(rig.engine->remove(id(out_esp)).ok());
  CHECK_FALSE(rig.engine->remove(id(out_esp)).ok());
  CHECK_FALSE(rig.engine->read(id(out_esp)).ok());
  for (int i = 0; i < 50 && came == 0; ++i) {
    came += rig.engine->poll(QueueId{0}, done);
    rig.engine->events(some);
    rig.now_ns += 5 * millisecond;
  }
  CHECK(came == 1);
  CHECK(job->verdict != Verdict::pending);
  // Its slot is free for another.
  REQUIRE(rig.engine->install({out_esp, 2}, rig_sa(out_esp, Direction::egress), {2000, 2100}, 0).ok());
  Job* again = frame.with({out_esp, 2}, Operation::esp_encapsulate);
  frame.packet.set_length(static_cast<std::uint32_t>(frame.packet.length));
  static_cast<void>(again);
  CHECK(rig.slots[out_esp].generation.load() == 2);
  CHECK(rig.slots[out_esp].counters.packets.get() == 0);
}

TEST_CASE("An SA that the card does not take for another reason goes to software with other numbers") {
  FailoverRig rig(plain());
  rig.primary->refuse_installs(1);
  REQUIRE(rig.engine->install(id(out_esp), rig_sa(out_esp, Direction::egress), rig.lend(out_esp), 0).ok());
  CHECK(rig.engine->read(id(out_esp))->lease_wanted);
  const auto [verdict, number] = send(rig);
  CHECK(verdict == Verdict::ok);
  CHECK(number == rig.options.lease_size + 1);
  CHECK(rig.engine->placement(id(out_esp))->reason.find("refused on demand") != std::string::npos);
}

TEST_CASE("It refuses what no engine could do, by name") {
  FailoverRig rig(plain());
  CHECK_FALSE(rig.engine->install({sa_total, 1}, rig_sa(out_esp, Direction::egress), {1, 9}, 0).ok());
  CHECK_FALSE(rig.engine->install({0, 0}, rig_sa(out_esp, Direction::egress), {1, 9}, 0).ok());
  REQUIRE(rig.engine->install({0, 1}, rig_sa(out_esp, Direction::egress), {1, 9}, 0).ok());
  CHECK_FALSE(rig.engine->install({0, 2}, rig_sa(out_esp, Direction::egress), {1, 9}, 0).ok());
  CHECK_FALSE(rig.engine->update({0, 1}, GrantLease{{5, 20}}).ok());  // begins inside the first
  CHECK_FALSE(rig.engine->update({0, 1}, GrantLease{{20, 20}}).ok());
  REQUIRE(rig.engine->update({0, 1}, GrantLease{{20, 30}}).ok());
  CHECK_FALSE(rig.engine->update({0, 1}, GrantLease{{30, 40}}).ok());  // the one before is not taken
  CHECK_FALSE(rig.engine->open({}).ok());
}

TEST_CASE("A reset that was asked for moves the SAs to software and back, and is no loss") {
  FailoverRig rig(plain());
  rig.install_all();
  REQUIRE(send(rig).first == Verdict::ok);
  std::uint64_t away = 0;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const std::uint64_t before = rig.primary->counts().recoveries;
    REQUIRE(rig.engine->renew_primary().ok());
    CHECK(rig.engine->status().use == PrimaryUse::lost);
    CHECK(rig.engine->status().reason == "its reset was asked for");
    // Traffic goes on in software meanwhile.
    REQUIRE(send(rig).first == Verdict::ok);
    CHECK(engine_of(rig, out_esp) == "faulty software");
    CHECK(receive(rig, i) == Verdict::ok);
    CHECK(receive(rig, i) == Verdict::replay_duplicate);
    REQUIRE(rig.settle());
    CHECK(engine_of(rig, out_esp) == "card");
    CHECK(rig.primary->counts().recoveries == before + 1);
    CHECK(receive(rig, i) == Verdict::replay_duplicate);
    REQUIRE(send(rig).first == Verdict::ok);
    const engines::FailoverStatus status = rig.engine->status();
    CHECK(status.renewals == i);
    CHECK(status.failovers == 0);
    CHECK(status.returns == i);
    CHECK(status.jobs_lost == 0);
    // Watched as long as the first time: it did nothing wrong.
    CHECK((status.away_ns - away) / millisecond < 20);
    away = status.away_ns;
  }
  CHECK(rig.ledger.twice() == 0);
}

TEST_CASE("A reset that was asked for of a card that is away") {
  FailoverRig rig(plain());
  rig.install_all();
  lose_for_good(rig);
  // It is asked for at once, and refused while it is under way.
  const auto recoveries = rig.primary->counts().recoveries;
  REQUIRE(rig.engine->renew_primary().ok());
  CHECK(rig.engine->status().renewals == 1);
  rig.primary->refuse_recoveries(0);
  for (int i = 0; i < 3 && rig.engine->status().use != PrimaryUse::recovering; ++i) rig.service();
  REQUIRE(rig.engine->status().use == PrimaryUse::recovering);
  const auto again = rig.engine->renew_primary();
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().message.find("being recovered already") != std::string::npos);
  const auto tested = rig.engine->begin_primary_test();
  REQUIRE_FALSE(tested.ok());
  CHECK(tested.error().message.find("being recovered") != std::string::npos);
  REQUIRE(rig.settle());
  CHECK(engine_of(rig, out_esp) == "card");
  CHECK(rig.primary->counts().recoveries == recoveries + 1);
  CHECK_FALSE(rig.engine->testing_primary());
  REQUIRE(rig.engine->begin_primary_test().ok());
  CHECK(rig.engine->testing_primary());
  CHECK_FALSE(rig.engine->primary_test());
  const auto second = rig.engine->begin_primary_test();
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message == "a self-test of the card goes on already");
  rig.service();
  CHECK_FALSE(rig.engine->testing_primary());
  const auto passed = rig.engine->primary_test();
  REQUIRE(passed);
  CHECK(passed->ok());
  CHECK_FALSE(rig.engine->primary_test());
}
