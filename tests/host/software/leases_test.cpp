// Egress numbers, lifetimes and events: an engine out of lease stops, and no number is ever used twice.
#include <array>
#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <set>

#include "host/values/numbers.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

const EngineKind& any_kind() {
  return engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))];
}

struct Numbered {
  Verdict verdict;
  std::uint64_t number;
};

Numbered send(Rig& rig, SaId id, Operation operation) {
  Frame frame(clear_frame());
  const Verdict verdict = rig.run(frame.with(id, operation));
  // What was not protected stays a clear frame under a drop verdict, and nothing else.
  if (is_drop(verdict)) CHECK(frame.bytes() == clear_frame());
  return {verdict, frame.job.number};
}

}  // namespace

TEST_CASE("An SA uses its lease to the last number, asks at half, then stops until the next one") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  const auto seal = esp ? Operation::esp_encapsulate : Operation::macsec_protect;
  const SaId id =
      esp ? rig.install(esp_sa(Direction::egress), {100, 110}) : rig.install(macsec_sa(Direction::egress), {100, 110});
  const std::string index = std::to_string(id.index);
  for (std::uint64_t number = 100; number < 110; ++number) {
    const Numbered sent = send(rig, id, seal);
    CHECK(sent.verdict == Verdict::ok);
    CHECK(sent.number == number);
    const std::vector<std::string> wanted =
        number == 105 ? std::vector<std::string>{"lease_low of " + index} : std::vector<std::string>{};
    CHECK(rig.events() == wanted);
  }
  for (int i = 0; i < 5; ++i) CHECK(send(rig, id, seal).verdict == Verdict::lease_exhausted);
  CHECK(rig.events() == std::vector<std::string>{"lease_exhausted of " + index});
  CHECK(rig.slot(id).counters.exhausted.get() == 5);
  CHECK(rig.slot(id).counters.packets.get() == 10);
  REQUIRE(rig.engine().update(id, GrantLease{{500, 502}}).ok());
  CHECK(send(rig, id, seal).number == 500);
  CHECK(send(rig, id, seal).number == 501);
  CHECK(rig.events() == std::vector<std::string>{"lease_low of " + index});
  CHECK(send(rig, id, seal).verdict == Verdict::lease_exhausted);
}

TEST_CASE("A lease granted in time leaves no gap in service") {
  Rig rig(any_kind());
  const SaId id = rig.install(esp_sa(Direction::egress), {1, 5});
  REQUIRE(rig.engine().update(id, GrantLease{{9, 12}}).ok());
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 7; ++i) {
    const Numbered sent = send(rig, id, Operation::esp_encapsulate);
    REQUIRE(sent.verdict == Verdict::ok);
    numbers.push_back(sent.number);
  }
  CHECK(numbers == std::vector<std::uint64_t>{1, 2, 3, 4, 9, 10, 11});
}

TEST_CASE("A lease that would repeat numbers, overtake one not taken, or serve no one is refused") {
  Rig rig(any_kind());
  Engine& engine = rig.engine();
  const SaId id = rig.install(esp_sa(Direction::egress), {10, 20});
  const SaId in = rig.install(esp_sa(Direction::ingress));
  CHECK(engine.update(id, GrantLease{{19, 30}}).error().message ==
        "lease: begins at 19, allowed: from 20, where the last one ended");
  CHECK(engine.update(id, GrantLease{{30, 30}}).error().message ==
        "lease: 30 to 30, allowed: numbers from 1, one at least");
  CHECK(engine.update(id, GrantLease{{0, 30}}).error().message ==
        "lease: 0 to 30, allowed: numbers from 1, one at least");
  CHECK(engine.update(in, GrantLease{{30, 40}}).error().message == "GrantLease: allowed on egress SAs only");
  REQUIRE(engine.update(id, GrantLease{{20, 30}}).ok());
  CHECK(engine.update(id, GrantLease{{30, 40}}).error().message ==
        "lease: the one before is not taken yet; grant it again later");
  // The refused ones left no trace: the next after 20 to 30 may still begin at 30.
  for (std::uint64_t number = 10; number < 21; ++number)
    CHECK(send(rig, id, Operation::esp_encapsulate).number == number);
  CHECK(engine.update(id, GrantLease{{30, 40}}).ok());
}

TEST_CASE("A number space of 32 bits ends at its last number for good") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  const auto seal = esp ? Operation::esp_encapsulate : Operation::macsec_protect;
  EspSa narrow = esp_sa(Direction::egress);
  narrow.esn = false;
  const Lease lease{0xfffffffeU, 0x100000010ULL};
  const SaId id = esp ? rig.install(std::move(narrow), lease)
                      : rig.install(macsec_sa(Direction::egress, CipherSuite::gcm_aes_128), lease);
  CHECK(send(rig, id, seal).number == 0xfffffffeU);
  CHECK(send(rig, id, seal).number == 0xffffffffU);
  CHECK(send(rig, id, seal).verdict == Verdict::number_exhausted);
  REQUIRE(rig.engine().update(id, GrantLease{{0x100000010ULL, 0x100000020ULL}}).ok());
  CHECK(send(rig, id, seal).verdict == Verdict::number_exhausted);
  const auto events = rig.events();
  CHECK(std::ranges::count(events, "number_exhausted of " + std::to_string(id.index)) == 1);
}

TEST_CASE("An extended number space goes on past 2^32, and stops at its own end") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  const auto seal = esp ? Operation::esp_encapsulate : Operation::macsec_protect;
  const Lease lease{0xffffffffU, 0x100000002ULL};
  const SaId id =
      esp ? rig.install(esp_sa(Direction::egress), lease) : rig.install(macsec_sa(Direction::egress), lease);
  CHECK(send(rig, id, seal).number == 0xffffffffU);
  CHECK(send(rig, id, seal).number == 0x100000000ULL);
  REQUIRE(rig.engine().update(id, GrantLease{{~std::uint64_t{0} - 1, ~std::uint64_t{0}}}).ok());
  CHECK(send(rig, id, seal).number == 0x100000001ULL);
  CHECK(send(rig, id, seal).number == ~std::uint64_t{0} - 1);
  CHECK(send(rig, id, seal).verdict == Verdict::number_exhausted);
}

TEST_CASE("Every lent number is taken at most once, rising, over random leases and drops, one by one and by trains") {
  const bool trains = GENERATE(false, true);
  std::mt19937_64 random(7);
  const auto slots = std::make_unique<SaSlot[]>(1);
  EventFlags flags({slots.get(), 1});
  Events events(flags);
  SaSlot& slot = slots[0];
  std::uint64_t granted = 1;
  std::uint64_t before = 0;
  std::uint64_t taken = 0;
  std::vector<Lease> leases;
  start_lease(slot, {1, 1});
  const int steps = long_form() ? 10'000'000 : 300'000;
  std::optional<EgressTrain> train;
  for (int step = 0; step < steps; ++step) {
    if (random() % 50 == 0) {
      // The authority skips at random; a lease that repeats numbers, which it never should, is cut to what is new.
      const std::uint64_t begin = granted + random() % 3 - (random() % 100 == 0 && granted > 10 ? 5 : 0);
      const Lease lease{begin, begin + random() % 60};
      if (slot.mailbox.put(lease)) {
        leases.push_back(lease);
        granted = std::max(granted, lease.end);
      }
    }
    std::uint64_t number = 0;
    Verdict verdict = Verdict::pending;
    if (trains) {
      if (!train || random() % 20 == 0) {
        train.reset();
        train.emplace(slot, number_last_64bit, events);
      }
      verdict = train->take(1, number);
    } else {
      verdict = take_number(slot, number_last_64bit, events, number);
    }
    if (verdict == Verdict::pending) {
      ++taken;
      if (number <= before) FAIL("number " << number << " after " << before);
      const bool lent =
          std::any_of(leases.rbegin(), leases.rbegin() + static_cast<long>(std::min<std::size_t>(leases.size(), 5)),
                      [&](const Lease& lease) { return number >= lease.begin && number < lease.end; });
      if (!lent) FAIL("number " << number << " was not lent");
      before = number;
    } else if (verdict != Verdict::lease_exhausted) {
      FAIL("verdict " << name(verdict));
    }
  }
  CHECK(before > static_cast<std::uint64_t>(steps) / 4);
  train.reset();
  CHECK(slot.next_number.load() > before);
  if (trains) CHECK(slot.counters.packets.get() == taken);
}

TEST_CASE("A train of packets tells, counts and refuses what packets one by one do") {
  // Two slots with the same lease and limits: one gives its numbers one by one, the other by trains of random length.
  const bool limited = GENERATE(false, true);
  std::mt19937_64 random(11);
  const auto slots = std::make_unique<SaSlot[]>(2);
  EventFlags flags({slots.get(), 2});
  Events events(flags);
  SaLimits limits;
  limits.soft.packets = 700;
  limits.hard.bytes = 90'000;
  for (std::size_t i = 0; i < 2; ++i) {
    start_lease(slots[i], {1, 100});
    if (limited) slots[i].set_limits(&limits);
  }
  const auto kinds_of = [&] {
    std::array<std::uint32_t, 2> kinds{};
    std::uint32_t index = 0;
    std::uint8_t bits = 0;
    while (events.take(index, bits)) kinds.at(index) |= bits;
    return kinds;
  };
  std::uint64_t lent = 100;
  std::uint64_t refused = 0;
  for (int round = 0; round < 1000; ++round) {
    const auto length = static_cast<std::uint32_t>(random() % 40 + 1);
    EgressTrain train(slots[1], 1'500, events);
    for (std::uint32_t i = 0; i < length; ++i) {
      const auto bytes = static_cast<std::uint32_t>(random() % 200);
      std::uint64_t one = 0;
      std::uint64_t other = 0;
      const Verdict expected = take_number(slots[0], 1'500, events, one);
      if (expected == Verdict::pending) count_packet(slots[0], bytes, events);
      const Verdict found = train.take(bytes, other);
      REQUIRE(found == expected);
      REQUIRE(one == other);  // 0 where none was taken
      refused += expected == Verdict::pending ? 0 : 1;
    }
    train.pause();
    const auto kinds = kinds_of();
    REQUIRE(kinds[0] == kinds[1]);
    REQUIRE(slots[0].counters.packets.get() == slots[1].counters.packets.get());
    REQUIRE(slots[0].counters.bytes.get() == slots[1].counters.bytes.get());
    REQUIRE(slots[0].counters.exhausted.get() == slots[1].counters.exhausted.get());
    REQUIRE(slots[0].next_number.load() == slots[1].next_number.load());
    if (random() % 3 == 0 && !slots[0].mailbox.full()) {
      const Lease lease{lent, lent + random() % 300};
      lent = lease.end;
      REQUIRE(slots[0].mailbox.put(lease));
      REQUIRE(slots[1].mailbox.put(lease));
    }
    train.resume();
  }
  CHECK(refused > 100);
  CHECK(slots[0].counters.packets.get() > 400);
}

TEST_CASE("A soft limit is told once; behind a hard limit nothing passes, within one burst too") {
  Rig rig(any_kind());
  const bool bytes = GENERATE(false, true);
  EspSa out_sa = esp_sa(Direction::egress);
  // In tunnel mode the inner IP packet counts: 128 bytes each.
  (bytes ? out_sa.lifetime.soft.bytes : out_sa.lifetime.soft.packets) = bytes ? 3 * 128 : 3;
  (bytes ? out_sa.lifetime.hard.bytes : out_sa.lifetime.hard.packets) = bytes ? 9 * 128 + 1 : 10;
  const SaId id = rig.install(std::move(out_sa));
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Job*> jobs;
  for (int i = 0; i < 30; ++i) {
    frames.push_back(std::make_unique<Frame>(clear_frame()));
    jobs.push_back(frames.back()->with(id, Operation::esp_encapsulate));
  }
  rig.run(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i)
    CHECK(jobs[i]->verdict == (i < 10 ? Verdict::ok : Verdict::hard_expired));
  CHECK(rig.events() == std::vector<std::string>{"hard_lifetime of 0", "soft_lifetime of 0"});
  CHECK(rig.slot(id).counters.packets.get() == 10);
  CHECK(rig.slot(id).counters.bytes.get() == 10 * 128);
  CHECK(rig.slot(id).counters.exhausted.get() == 20);
  CHECK(rig.engine().read(id)->next_number == 11);
  CHECK(rig.engine().read(id)->expired);
  CHECK(send(rig, id, Operation::esp_encapsulate).verdict == Verdict::hard_expired);
  CHECK(rig.events().empty());
}

TEST_CASE("Ingress stops at its hard limit; forged packets do not count, and refused ones leave no clear text") {
  Rig rig(any_kind());
  EspSa in_sa = esp_sa(Direction::ingress);
  in_sa.lifetime.hard.packets = 4;
  const SaId out = rig.install(esp_sa(Direction::egress));
  const SaId in = rig.install(std::move(in_sa));
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Job*> jobs;
  for (int i = 0; i < 10; ++i) {
    frames.push_back(std::make_unique<Frame>(clear_frame()));
    REQUIRE(rig.run(frames.back()->with(out, Operation::esp_encapsulate)) == Verdict::ok);
  }
  for (std::size_t i = 0; i < 3; ++i) frames[i]->packet.data[60] ^= 1U;
  for (const auto& frame : frames) jobs.push_back(frame->with(in, Operation::esp_decapsulate));
  rig.run(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Verdict wanted = i < 3 ? Verdict::esp_bad_icv : i < 7 ? Verdict::ok : Verdict::hard_expired;
    CHECK(jobs[i]->verdict == wanted);
    if (wanted != Verdict::ok) CHECK_FALSE(shows_payload(frames[i]->memory));
  }
  CHECK(rig.slot(in).counters.packets.get() == 4);
}

TEST_CASE("An expired SA stops at once in either direction") {
  Rig rig(any_kind());
  const bool esp = GENERATE(true, false);
  const SaId out = esp ? rig.install(esp_sa(Direction::egress)) : rig.install(macsec_sa(Direction::egress));
  const SaId in = esp ? rig.install(esp_sa(Direction::ingress)) : rig.install(macsec_sa(Direction::ingress));
  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(out, esp ? Operation::esp_encapsulate : Operation::macsec_protect)) == Verdict::ok);
  REQUIRE(rig.engine().update(in, Expire{}).ok());
  REQUIRE(rig.engine().update(out, Expire{}).ok());
  CHECK(rig.run(frame.with(in, esp ? Operation::esp_decapsulate : Operation::macsec_validate)) ==
        Verdict::hard_expired);
  CHECK_FALSE(shows_payload(frame.memory));
  CHECK(send(rig, out, esp ? Operation::esp_encapsulate : Operation::macsec_protect).verdict == Verdict::hard_expired);
  CHECK(rig.engine().read(in)->expired);
}

TEST_CASE("Events of a removed SA are not told, least of all as its successor's") {
  Rig rig(any_kind(), 1);
  const SaId first = rig.install(esp_sa(Direction::egress), {1, 2});
  send(rig, first, Operation::esp_encapsulate);
  send(rig, first, Operation::esp_encapsulate);
  REQUIRE(rig.engine().remove(first).ok());
  const SaId second = rig.install(esp_sa(Direction::egress), {1, 1000});
  CHECK(rig.events().empty());
  for (int i = 0; i < 500; ++i) send(rig, second, Operation::esp_encapsulate);
  CHECK(rig.events() == std::vector<std::string>{"lease_low of 0"});
}
