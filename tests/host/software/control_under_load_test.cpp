// Control changes SAs while a worker runs: nothing stops, nothing tears.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <thread>

#include "tests/support/engines.hpp"
#include "tests/support/long_form.hpp"
#include "tests/support/quiescent.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

IpAddress peer(std::uint16_t n) {
  IpAddress address;
  address.bytes = {198, 51, static_cast<std::uint8_t>(n >> 8U), static_cast<std::uint8_t>(n)};
  return address;
}

}  // namespace

TEST_CASE("Leases, moved peers, removals and installs go on under a running worker without a torn or repeated packet") {
  const EngineKind& kind = engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))];
  if (kind.delaying) return;  // it holds jobs over quiescent points, as its contract allows; here is one thread a side
  const bool deferring = GENERATE(true, false);  // Reclamation that need not wait, or can do nothing else
  Quiescent quiescent;
  Rig rig(kind, 4, deferring ? quiescent.deferring() : quiescent.waiting());
  EspSa sa = esp_sa(Direction::egress);
  sa.udp = UdpEncapsulation{};
  sa.destination = peer(4500);
  const SaId steady = rig.install(std::move(sa), {1, 100});
  std::atomic<std::uint32_t> generation{100};
  REQUIRE(rig.engine().install({3, 100}, macsec_sa(Direction::egress), {1, 1'000'000}, 0).ok());

  std::atomic<bool> stop{false};
  std::uint64_t torn = 0;
  std::uint64_t repeated = 0;
  std::atomic<std::uint64_t> sent{0};
  std::uint64_t wrong = 0;
  quiescent.enter(0);
  std::thread worker([&] {
    const Bytes clear = clear_frame();
    std::uint64_t before = 0;
    while (!stop.load()) {
      Frame one(clear);
      Frame two(clear);
      Job* jobs[] = {one.with(steady, Operation::esp_encapsulate),
                     two.with({3, generation.load()}, Operation::macsec_protect)};
      std::uint32_t accepted = 0;
      while (accepted < 2) accepted += rig.engine().submit(QueueId{0}, std::span(jobs).subspan(accepted));
      Job* done[2];
      while (one.job.verdict == Verdict::pending || two.job.verdict == Verdict::pending)
        if (rig.engine().poll(QueueId{0}, done) == 0) std::this_thread::yield();
      quiescent.quiescent(0);
      std::this_thread::yield();
      if (one.job.verdict == Verdict::ok) {
        ++sent;
        const std::uint16_t port = wire::load16(one.packet.data + 36);
        const std::uint16_t low = wire::load16(one.packet.data + 32);
        if (port != low) ++torn;
        if (one.job.number <= before) ++repeated;
        before = one.job.number;
      } else if (one.job.verdict != Verdict::lease_exhausted) {
        ++wrong;
      }
      if (two.job.verdict != Verdict::stale_sa && two.job.verdict != Verdict::ok) ++wrong;
    }
    quiescent.leave(0);
  });

  std::uint64_t granted = 100;
  std::uint16_t where = 4500;
  const std::uint64_t rounds = long_form() ? 20'000 : 60;
  // Both sides do their share, however the machine divides its time between them.
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  for (std::uint64_t round = 0; round < rounds || sent.load() < rounds; ++round) {
    if (std::chrono::steady_clock::now() > end) break;
    if (rig.engine().update(steady, GrantLease{{granted, granted + 50}}).ok()) granted += 50;
    ++where;
    if (where == 0) where = 1;
    if (!rig.engine().update(steady, SetPeer{peer(where), where}).ok()) ++wrong;
    if (round % 4 == 0) {
      const std::uint32_t old = generation.load();
      if (!rig.engine().remove({3, old}).ok()) ++wrong;
      if (!rig.engine().install({3, old + 1}, macsec_sa(Direction::egress), {1, 1'000'000}, 0).ok()) ++wrong;
      generation.store(old + 1);
    }
    Event some[8];
    while (rig.engine().events(some) != 0) {
    }
  }
  stop = true;
  worker.join();
  CHECK(torn == 0);
  CHECK(repeated == 0);
  CHECK(wrong == 0);
  CHECK(sent.load() >= rounds);
}
