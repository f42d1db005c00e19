// The card's data path allocates nothing: workers' calls, the two transfer threads and the watchdog are counted, from a
// burst's submit() to its last poll(). On the fake card: what XRT allocates in a transfer is XRT's.
#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "tests/driver/card/engine/rig.hpp"
#include "tests/host/software/counted_new.hpp"
#include "tests/support/allocation_load.hpp"

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
  check_nothing_is_allocated(rig, [&](std::vector<Job*>& jobs) { return allocations_of(rig.engine(), jobs); });
  // The counting counts, here and on another thread.
  const std::uint64_t before = all_allocations;
  std::thread other([] { delete new int(1); });
  other.join();
  CHECK(all_allocations > before);
}
