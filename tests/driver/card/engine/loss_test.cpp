// A card that fails: every job comes back once, nothing wrong is delivered, and the card can come back.
#include <deque>
#include <functional>
#include <set>

#include "tests/driver/card/engine/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::card_test;
using namespace linecrypt::test;

namespace {

card::CardOptions impatient() {
  card::CardOptions options = quick_options();
  options.progress_timeout_ms = 200;
  return options;
}

struct Load {
  std::deque<Frame> frames;
  std::vector<Bytes> before;
  std::vector<Job*> jobs;
  Load(SaId sa, Operation operation, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Frame& frame = frames.emplace_back(clear_frame(100 + i));
      before.push_back(frame.bytes());
      jobs.push_back(frame.with(sa, operation));
    }
  }
};

struct Fault {
  const char* name;
  std::function<void(FakeCard&)> plant;
};

}  // namespace

TEST_CASE("Whatever the card does wrong, each job comes back once, as done or lost with its packet untouched") {
  const Fault fault = GENERATE(values<Fault>({
      {"off the bus", [](FakeCard& card) { card.faults.lost = true; }},
      {"no progress", [](FakeCard& card) { card.faults.stalled = true; }},
      {"a transfer to the card hangs", [](FakeCard& card) { card.faults.hang_to_card = true; }},
      {"a transfer from the card hangs", [](FakeCard& card) { card.faults.hang_from_card = true; }},
      {"a transfer fails", [](FakeCard& card) { card.faults.fail_transfers = 1; }},
      {"a transfer is cut", [](FakeCard& card) { card.faults.cut_transfers = 1; }},
      {"a completion of another packet", [](FakeCard& card) { card.faults.wrong_cookies = 1; }},
      {"a completion of another session", [](FakeCard& card) { card.faults.wrong_epochs = 1; }},
      {"a number twice", [](FakeCard& card) { card.faults.repeat_numbers = 1; }},
      {"good without a flag", [](FakeCard& card) { card.faults.unflagged = 1; }},
      {"more batches than there were", [](FakeCard& card) { card.faults.head_jumps = true; }},
  }));
  CardRig rig(impatient());
  const SaId out = rig.install(esp_sa(Direction::egress));
  Frame first(clear_frame());
  REQUIRE(rig.run(first.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  INFO(fault.name);
  fault.plant(rig.card());
  Load load(out, Operation::esp_encapsulate, 300);
  const std::uint32_t accepted = rig.engine().submit(QueueId{0}, load.jobs);
  REQUIRE(accepted == 300);
  const std::vector<Job*> back = rig.poll(300);
  const std::set<Job*> once(back.begin(), back.end());
  CHECK(once.size() == 300);
  std::uint64_t lost = 0;
  std::uint64_t last = 1;
  for (std::size_t i = 0; i < load.jobs.size(); ++i) {
    const Job& job = *load.jobs[i];
    if (job.verdict == Verdict::engine_lost) {
      ++lost;
      CHECK(load.frames[i].bytes() == load.before[i]);
    } else {
      CHECK(job.verdict == Verdict::ok);
      CHECK(job.number > last);
      last = job.number;
      CHECK_FALSE(shows_payload(load.frames[i].bytes()));
    }
  }
  CHECK(lost != 0);
  CHECK(rig.engine().state() == card::CardState::lost);
  CHECK_FALSE(rig.engine().snapshot().reason.empty());
  CHECK(rig.engine().snapshot().lost_jobs == lost);
  // From now on each job is done at once.
  Frame late(clear_frame());
  Job* jobs[] = {late.with(out, Operation::esp_encapsulate)};
  CHECK(rig.engine().submit(QueueId{0}, jobs) == 1);
  CHECK(late.job.verdict == Verdict::engine_lost);
  CHECK_FALSE(rig.engine().install({5, 9}, Sa(esp_sa(Direction::egress)), {1, 2}, 0).ok());
  CHECK(rig.engine().remove(out).ok());

  // And back: another session, with nothing of the old one.
  auto& faults = rig.card().faults;
  faults.lost = faults.stalled = faults.hang_to_card = faults.hang_from_card = faults.head_jumps = false;
  faults.fail_transfers = faults.cut_transfers = faults.wrong_cookies = faults.wrong_epochs = 0;
  faults.repeat_numbers = faults.unflagged = 0;
  const std::uint32_t epoch = rig.card().epoch();
  const auto reopened = rig.engine().reset_and_reopen();
  INFO((reopened ? "" : reopened.error().message));
  REQUIRE(reopened.ok());
  CHECK(rig.engine().state() == card::CardState::ready);
  CHECK(rig.engine().snapshot().quarantined_bytes == 0);
  CHECK(rig.card().epoch() != epoch);
  CHECK(rig.card().installed() == 0);
  const SaId again = rig.install(esp_sa(Direction::egress), {5000, 6000});
  Frame next(clear_frame());
  CHECK(rig.run(next.with(again, Operation::esp_encapsulate)) == Verdict::ok);
  CHECK(next.job.number == 5000);
}

TEST_CASE("An ingress number that jumps does not move the window") {
  CardRig rig(impatient());
  const SaId out = rig.install(esp_sa(Direction::egress));
  const SaId in = rig.install(esp_sa(Direction::ingress), {});
  Frame frame(clear_frame());
  REQUIRE(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::ok);
  rig.card().faults.far_numbers = 1;
  CHECK(rig.run(frame.with(in, Operation::esp_decapsulate)) == Verdict::engine_lost);
  CHECK(rig.slot(in).window.top() == 0);
}

TEST_CASE("A card that goes while nothing flows is seen by events, and recovery runs beside the caller") {
  CardRig rig(impatient());
  rig.card().faults.lost = true;
  CHECK(rig.wait_lost());
  CHECK(rig.engine().snapshot().reason.find("0xffffffff") != std::string::npos);
  rig.engine().start_recovery();
  for (int i = 0; i < 5000 && rig.engine().state() == card::CardState::opening; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(rig.engine().state() == card::CardState::lost);
  rig.card().faults.lost = false;
  rig.engine().start_recovery();
  for (int i = 0; i < 5000 && rig.engine().state() == card::CardState::opening; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(rig.engine().state() == card::CardState::ready);
}

TEST_CASE("A refused commit is a loss: packets never meet tables that are not what the host believes") {
  CardRig rig(impatient());
  rig.card().faults.refuse_commands = 1;
  const SaId out = rig.install(esp_sa(Direction::egress));
  Frame frame(clear_frame());
  CHECK(rig.run(frame.with(out, Operation::esp_encapsulate)) == Verdict::engine_lost);
  CHECK(rig.engine().state() == card::CardState::lost);
}

TEST_CASE("A card of another make, version or mode is refused in words") {
  FakeCard card;
  std::string expected;
  card::CardOptions options = quick_options();
  SECTION("magic") {
    card.magic = 0x12345678;
    expected = "MAGIC reads 0x12345678";
  }
  SECTION("version: both are named") {
    card.version = 7U << 16U | 3U;
    expected = "ABI version 7.3, this program has " + std::to_string(abi::version_major);
  }
  SECTION("mode") {
    card.mode = static_cast<std::uint32_t>(abi::CardMode::esp);
    options.mode = abi::CardMode::macsec;
    expected = "does esp, asked for: macsec";
  }
  SECTION("wiring") {
    card.features = abi::feature::inline_ports;
    expected = "no look-aside path";
  }
  SECTION("gone") {
    card.faults.lost = true;
    expected = "0xffffffff";
  }
  SECTION("slabs") {
    options.slabs = 1;
    expected = "slabs: 1, allowed: 2 to 32";
  }
  const auto made = card::make_look_aside_engine(options, card.opener());
  REQUIRE_FALSE(made.ok());
  INFO(made.error().message);
  CHECK(made.error().message.find(expected) != std::string::npos);
}
