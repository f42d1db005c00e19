// Two bursts with every outcome, for tests that the data path allocates nothing.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "tests/support/engines.hpp"

namespace linecrypt::test {

// `rig.install()` as Rig has it. `allocations_of(jobs)` sees all of them through the engine and gives how often anybody
// allocated meanwhile. Good packets, spent leases, a hard limit reached; forgeries, duplicates, stale ids.
template <typename AnyRig, typename AllocationsOf>
void check_nothing_is_allocated(AnyRig& rig, AllocationsOf&& allocations_of) {
  EspSa limited = esp_sa(Direction::egress);
  limited.lifetime.hard.packets = 70;
  const SaId esp_out = rig.install(std::move(limited), {1, 120});
  const SaId esp_in = rig.install(esp_sa(Direction::ingress), {});
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress), {1, 60});
  const SaId macsec_in = rig.install(macsec_sa(Direction::ingress), {});
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Job*> jobs(200);
  for (std::size_t i = 0; i < jobs.size(); ++i) frames.push_back(std::make_unique<Frame>(clear_frame(i)));
  const auto run = [&](auto&& stage) -> std::uint64_t {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const Stage one = stage(i);
      jobs[i] = frames[i]->with(one.sa, one.operation);
    }
    return allocations_of(jobs);
  };
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
}

}  // namespace linecrypt::test
