// Engines that are slow, full or fail; rings that are full; buffers that are too small. Nothing blocks, nothing is lost
// uncounted, nothing is given away twice.
#include <catch2/catch.hpp>

#include "linecrypt/wire/endian.hpp"
#include "tests/host/gateway/pipeline/allocations.hpp"
#include "tests/host/gateway/pipeline/gateway.hpp"

using namespace linecrypt;
using namespace linecrypt::gateway;
using namespace linecrypt::gateway::test;

namespace {

// Passes everything on; accepts nothing while `stuck`, and can say that the card behind it was lost.
class Moody final : public Engine {
 public:
  explicit Moody(std::unique_ptr<Engine> inner, const bool* stuck, const bool* lost)
      : inner_(std::move(inner)), stuck_(stuck), lost_(lost) {}
  const Capabilities& capabilities() const noexcept override { return inner_->capabilities(); }
  MemoryPlace memory() const noexcept override { return inner_->memory(); }
  Result<void> self_test() override { return inner_->self_test(); }
  Result<void> open(const EngineSetup& setup) override { return inner_->open(setup); }
  void close() override { inner_->close(); }
  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t top) override {
    return inner_->install(id, sa, lease, top);
  }
  Result<void> update(SaId id, const SaUpdate& change) override { return inner_->update(id, change); }
  Result<void> remove(SaId id) override { return inner_->remove(id); }
  Result<SaState> read(SaId id) const override { return inner_->read(id); }
  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override {
    if (*stuck_) return 0;
    if (!*lost_) return inner_->submit(queue, jobs);
    for (Job* job : jobs) job->verdict = Verdict::engine_lost;
    return static_cast<std::uint32_t>(jobs.size());
  }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override { return inner_->poll(queue, done); }
  std::uint32_t events(std::span<Event> out) override { return inner_->events(out); }

 private:
  std::unique_ptr<Engine> inner_;
  const bool* stuck_;
  const bool* lost_;
};

}  // namespace

TEST_CASE("a stuck engine fills a bounded queue, what does not fit is dropped, and the order is kept") {
  bool stuck = true;
  const bool lost = false;
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  Scenario moody = scenario;
  moody.wrap = [&](std::unique_ptr<Engine> inner) { return std::make_unique<Moody>(std::move(inner), &stuck, &lost); };
  Pair pair(moody, scenario);
  constexpr std::uint32_t capacity = 1024;
  constexpr std::uint32_t more = 37;
  for (std::uint32_t i = 0; i < capacity + more; ++i) {
    Bytes body = payload(64);
    wire::store32(&body[32], i);
    pair.a.inject(clear_port, Origin::wire, pair.a.from_host(udp_packet(pair.a.host(), pair.a.far_host(), 1, 2, body)));
  }
  CHECK(pair.a.pipeline->in_flight() == capacity);
  CHECK(pair.a.verdicts(Verdict::engine_busy) == more);
  for (int i = 0; i < 10; ++i) CHECK(pair.a.pipeline->poll() == 0);
  // What needs no engine is not held up.
  if (!scenario.macsec) {
    const std::uint64_t before = pair.a.verdicts(Verdict::exempt);
    pair.a.inject(
        black_port, Origin::companion,
        pair.a.from_kernel(black_port, udp_packet(pair.a.own(black_port), pair.a.peer(), 500, 500, Bytes(9))));
    CHECK(pair.a.verdicts(Verdict::exempt) == before + 1);
    pair.a.take_wire(black_port);
  }
  stuck = false;
  pair.exchange();
  const std::vector<Bytes> out = pair.b.take_wire(clear_port);
  REQUIRE(out.size() == capacity);
  for (std::uint32_t i = 0; i < capacity; ++i) CHECK(wire::load32(&out[i][14 + 28 + 32]) == i);
  pair.check_accounts();
}

TEST_CASE("frames that a lost engine held are dropped") {
  const bool stuck = false;
  bool lost = false;
  Scenario scenario;
  scenario.wrap = [&](std::unique_ptr<Engine> inner) {
    return std::make_unique<Moody>(std::move(inner), &stuck, &lost);
  };
  TestGateway gateway(1, scenario);
  lost = true;
  CHECK(gateway.send(clear_port, Origin::wire, gateway.from_host(gateway.site_packet())) == Verdict::engine_lost);
  CHECK(gateway.take_wire(black_port).empty());
  gateway.check_accounts();
}

TEST_CASE("many seeds of the delaying engine: everything arrives once and in order") {
  Scenario scenario;
  scenario.engine = EngineKind::delayed;
  scenario.macsec = GENERATE(false, true);
  scenario.delaying.seed = GENERATE(range(1U, 9U));
  scenario.delaying.capacity = GENERATE(3U, 512U);
  Pair pair(scenario);
  std::uint32_t arrived = 0;
  const auto receive = [&] {
    for (Bytes& frame : pair.a.take_wire(black_port)) pair.b.inject(black_port, Origin::wire, frame);
    for (const Bytes& frame : pair.b.take_wire(clear_port)) CHECK(wire::load32(&frame[14 + 28 + 32]) == arrived++);
  };
  for (std::uint32_t i = 0; i < 300; ++i) {
    Bytes body = payload(64);
    wire::store32(&body[32], i);
    pair.a.inject(clear_port, Origin::wire, pair.a.from_host(udp_packet(pair.a.host(), pair.a.far_host(), 1, 2, body)));
    // Both go on at their own pace, whatever is in flight.
    pair.a.pipeline->poll();
    if (i % 3 == 0) pair.b.pipeline->poll();
    receive();
  }
  for (int i = 0; i < 4000 && arrived < 300; ++i) {
    pair.a.pipeline->poll();
    pair.b.pipeline->poll();
    receive();
  }
  CHECK(arrived == 300);
  pair.check_accounts();
}

TEST_CASE("a full transmit ring and a full TAP drop what they did not take, counted") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  TestGateway gateway(1, scenario);
  const std::uint64_t room = GENERATE(0U, 1U, 63U, 64U, 65U, 100U);
  constexpr std::uint64_t count = 150;

  SECTION("transmit ring") {
    gateway.io.wire_limit = room;
    for (std::uint64_t i = 0; i < count; i += 50) {
      std::vector<Frame*> burst;
      for (int k = 0; k < 50; ++k) burst.push_back(gateway.io.make(gateway.from_host(gateway.site_packet())));
      gateway.pipeline->process(clear_port, Origin::wire, burst);
    }
    gateway.settle();
    CHECK(gateway.verdicts(Verdict::ok) == room);
    CHECK(gateway.verdicts(Verdict::transmit_full) == count - room);
    CHECK(gateway.pipeline->counters(black_port).transmitted_frames.get() == room);
  }
  SECTION("TAP") {
    gateway.io.companion_limit = room;
    for (std::uint64_t i = 0; i < count; i += 50) {
      std::vector<Frame*> burst;
      for (int k = 0; k < 50; ++k)
        burst.push_back(gateway.io.make(
            gateway.from_peer(udp_packet(gateway.peer(), gateway.own(black_port), 500, 500, Bytes(64)))));
      gateway.pipeline->process(black_port, Origin::wire, burst);
    }
    CHECK(gateway.verdicts(Verdict::exempt) == room);
    CHECK(gateway.verdicts(Verdict::tap_full) == count - room);
    CHECK(gateway.pipeline->counters(black_port).punted_frames.get() == room);
  }
  gateway.check_accounts();
}

TEST_CASE("an answer that the ring does not take is dropped like any frame") {
  TestGateway gateway(1, {});
  gateway.io.wire_limit = 0;
  CHECK(gateway.pipeline->counters(clear_port).made_frames.get() == 0);
  gateway.inject(clear_port, Origin::wire, gateway.from_host(gateway.site_packet(Family::ipv4, 2000)));
  CHECK(gateway.verdicts(Verdict::too_big) == 1);
  CHECK(gateway.verdicts(Verdict::transmit_full) == 1);
  CHECK(gateway.verdicts(Verdict::answered) == 0);
  gateway.check_accounts();
}

TEST_CASE("buffers without room end as no_buffer and are never written beyond") {
  Scenario scenario;
  scenario.engine = GENERATE(from_range(engine_kinds()));
  scenario.macsec = GENERATE(false, true);
  scenario.vlan = {{0x8100, 1}, {0x8100, 2}};
  TestGateway gateway(1, scenario);
  const Bytes frame = gateway.from_host(gateway.site_packet());
  bool sent = false;
  for (std::uint32_t headroom = 0; headroom <= 96; ++headroom) {
    Frame* made = gateway.io.make(frame, headroom, 64);
    gateway.pipeline->process(clear_port, Origin::wire, {&made, 1});
    gateway.settle();
  }
  CHECK(gateway.verdicts(Verdict::ok) + gateway.verdicts(Verdict::no_buffer) == 97);
  CHECK(gateway.verdicts(Verdict::ok) > 0);
  CHECK(gateway.verdicts(Verdict::no_buffer) > 0);
  for (std::uint32_t tailroom = 0; tailroom <= 64; ++tailroom) {
    Frame* made = gateway.io.make(frame, 128, tailroom);
    gateway.pipeline->process(clear_port, Origin::wire, {&made, 1});
    gateway.settle();
  }
  sent = gateway.verdicts(Verdict::ok) + gateway.verdicts(Verdict::no_buffer) == 97 + 65;
  CHECK(sent);
  gateway.take_wire(black_port);
  gateway.check_accounts();
}

TEST_CASE("several segments are refused") {
  TestGateway gateway(1, {});
  const Origin origin = GENERATE(Origin::wire, Origin::companion);
  Packet tail;
  Frame* frame = gateway.io.make(gateway.from_host(gateway.site_packet()));
  frame->packet.next = &tail;
  gateway.pipeline->process(clear_port, origin, {&frame, 1});
  CHECK(gateway.verdicts(Verdict::unsupported) == 1);
  gateway.check_accounts();
}

TEST_CASE("no packet allocates") {
  Scenario scenario;
  scenario.engine =
      GENERATE(filter([](EngineKind kind) { return kind != EngineKind::delayed; }, from_range(engine_kinds())));
  scenario.macsec = GENERATE(false, true);
  Pair pair(scenario);
  TestGateway& gateway = pair.a;
  // Every way through, good and bad.
  pair.b.inject(clear_port, Origin::wire, pair.b.from_host(pair.b.site_packet()));
  pair.b.settle();
  const Bytes esp = pair.b.take_wire(black_port).at(0);
  struct One {
    PortIndex port;
    Origin origin;
    Bytes frame;
  };
  const std::vector<One> frames = {
      {clear_port, Origin::wire, gateway.from_host(gateway.site_packet())},
      {clear_port, Origin::wire, gateway.from_host(gateway.site_packet(Family::ipv6))},
      {clear_port, Origin::wire, gateway.from_host(gateway.site_packet(Family::ipv4, 2000))},  // and an answer
      {clear_port, Origin::wire, gateway.from_host(udp_packet(gateway.host(), address("203.0.113.1"), 1, 2, {}))},
      {clear_port, Origin::wire, gateway.from_host(udp_packet(gateway.host(), gateway.own(clear_port), 1, 2, {}))},
      {black_port, Origin::wire, esp},
      {black_port, Origin::wire, gateway.from_peer(udp_packet(gateway.peer(), gateway.own(black_port), 500, 500, {}))},
      {black_port, Origin::companion,
       gateway.from_kernel(black_port, udp_packet(gateway.own(black_port), gateway.peer(), 500, 500, Bytes(40)))},
      {black_port, Origin::companion, gateway.from_kernel(black_port, gateway.site_packet())},
  };
  gateway.io.quiet = true;
  std::vector<std::vector<Frame*>> made(frames.size());
  const auto run = [&] {
    for (std::size_t i = 0; i < frames.size(); ++i)
      gateway.pipeline->process(frames[i].port, frames[i].origin, made[i]);
    while (gateway.pipeline->in_flight() != 0) gateway.pipeline->poll();
    gateway.pipeline->tick();
  };
  const auto fill = [&] {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      made[i].clear();
      for (int k = 0; k < 64; ++k) made[i].push_back(gateway.io.make(frames[i].frame));
    }
  };
  fill();
  run();  // the test's own lists grow here
  fill();
  const std::uint64_t before = allocations();
  run();
  CHECK(allocations() == before);
  gateway.check_accounts();
}
