// The card's data path allocates nothing: workers' calls, the two transfer threads and the watchdog are counted, from a
// burst's submit() to its last poll(). On the fake card: what XRT allocates in a transfer is XRT's.
#include <array>
#include <memory>
#include <vector>

#include "tests/driver/card/engine/rig.hpp"
#include "tests/host/software/counted_new.hpp"

using namespace linecrypt;
using namespace linecrypt::card_test;
using namespace linecrypt::test;

namespace {

// All of `jobs` through the engine in bursts; how often anybody allocated meanwhile. Nothing of Catch in between.
std::uint64_t allocations_of(card::CardEngine& engine, const std::vector<Job*>& jobs) {
  constexpr std::size_t burst = 32;
  std::array<Job*, burst> done{};
  const std::uint64_t before = all_allocations;
  std::size_t sent = 0;
  std::size_t back = 0;
  while (back < jobs.size()) {
    const std::size_t count = std::min(burst, jobs.size() - sent);
    if (count != 0) {
      const std::uint32_t taken = engine.submit(QueueId{0}, std::span(jobs).subspan(sent, count));
      for (std::size_t i = sent; i < sent + taken; ++i)
        if (jobs[i]->verdict != Verdict::pending) ++back;
      sent += taken;
    }
    back += engine.poll(QueueId{0}, done);
  }
  return all_allocations - before;
}

}  // namespace

TEST_CASE("The card's data path allocates nothing, whatever becomes of the packets") {
  CardRig rig;
  EspSa limited = esp_sa(Direction::egress);
  limited.lifetime.hard.packets = 70;
  const SaId esp_out = rig.install(std::move(limited), {1, 120});
  const SaId esp_in = rig.install(esp_sa(Direction::ingress), {});
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress), {1, 60});
  const SaId macsec_in = rig.install(macsec_sa(Direction::ingress), {});
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Job*> jobs(200);
  for (std::size_t i = 0; i < jobs.size(); ++i) frames.push_back(std::make_unique<Frame>(clear_frame(i)));
  const auto run = [&](auto&& stage) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const Stage one = stage(i);
      jobs[i] = frames[i]->with(one.sa, one.operation);
    }
    return allocations_of(rig.engine(), jobs);
  };
  // Good packets, spent leases, a hard limit reached; forgeries, duplicates, stale ids.
  CHECK(run([&](std::size_t i) {
          return i % 2 == 0 ? Stage{esp_out, Operation::esp_encapsulate} : Stage{macsec_out, Operation::macsec_protect};
        }) == 0);
  CHECK(jobs[0]->verdict == Verdict::ok);
  CHECK(jobs[199]->verdict == Verdict::lease_exhausted);
  CHECK(jobs[198]->verdict == Verdict::hard_expired);
  for (std::size_t i = 0; i < 20; ++i) frames[i]->packet.data[frames[i]->packet.length - 1] ^= 1U;
  CHECK(run([&](std::size_t i) {
          if (i % 10 == 9) return Stage{SaId{7, 7}, Operation::macsec_validate};
          return i % 2 == 0 ? Stage{esp_in, Operation::esp_decapsulate} : Stage{macsec_in, Operation::macsec_validate};
        }) == 0);
  CHECK(jobs[0]->verdict == Verdict::esp_bad_icv);
  CHECK(jobs[20]->verdict == Verdict::ok);
  // The counting counts, here and on another thread.
  const std::uint64_t before = all_allocations;
  std::thread other([] { delete new int(1); });
  other.join();
  CHECK(all_allocations > before);
}
