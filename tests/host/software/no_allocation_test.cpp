// The data path allocates nothing: every allocation of this program, OpenSSL's own included, is counted.
#include <openssl/crypto.h>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/host/software/counted_new.hpp"
#include "tests/support/engines.hpp"

namespace {

// OpenSSL's, before it allocates first.
const bool openssl_counted = CRYPTO_set_mem_functions(
                                 [](std::size_t size, const char*, int) {
                                   ++linecrypt::test::allocations;
                                   return std::malloc(size);
                                 },
                                 [](void* memory, std::size_t size, const char*, int) {
                                   ++linecrypt::test::allocations;
                                   return std::realloc(memory, size);
                                 },
                                 [](void* memory, const char*, int) { std::free(memory); }) == 1;

}  // namespace

using namespace linecrypt;
using namespace linecrypt::test;

TEST_CASE("Submitting allocates nothing, whatever becomes of the packets") {
  const EngineKind& kind = engine_kinds()[GENERATE(range(std::size_t{0}, engine_kinds().size()))];
  REQUIRE(openssl_counted);
  Rig rig(kind);
  // Others have queues and threads of their own; tests/driver/card/engine counts the card's.
  if (!rig.engine().capabilities().immediate) return;
  EspSa limited = esp_sa(Direction::egress);
  limited.lifetime.hard.packets = 70;
  const SaId esp_out = rig.install(std::move(limited), {1, 120});
  const SaId esp_in = rig.install(esp_sa(Direction::ingress));
  const SaId macsec_out = rig.install(macsec_sa(Direction::egress), {1, 60});
  const SaId macsec_in = rig.install(macsec_sa(Direction::ingress));
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Job*> jobs(200);
  for (std::size_t i = 0; i < jobs.size(); ++i) frames.push_back(std::make_unique<Frame>(clear_frame(i)));
  const auto submit = [&](auto&& stage) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const Stage one = stage(i);
      jobs[i] = frames[i]->with(one.sa, one.operation);
    }
    const std::uint64_t before = allocations;
    rig.engine().submit(QueueId{0}, jobs);
    return allocations - before;
  };
  // Good packets, spent leases, a hard limit reached, forgeries, duplicates, stale ids: all in two calls.
  CHECK(submit([&](std::size_t i) {
          return i % 2 == 0 ? Stage{esp_out, Operation::esp_encapsulate} : Stage{macsec_out, Operation::macsec_protect};
        }) == 0);
  CHECK(jobs[0]->verdict == Verdict::ok);
  CHECK(jobs[199]->verdict == Verdict::lease_exhausted);
  CHECK(jobs[198]->verdict == Verdict::hard_expired);
  for (std::size_t i = 0; i < 20; ++i) frames[i]->packet.data[frames[i]->packet.length - 1] ^= 1U;
  CHECK(submit([&](std::size_t i) {
          if (i % 10 == 9) return Stage{SaId{7, 7}, Operation::macsec_validate};
          return i % 2 == 0 ? Stage{esp_in, Operation::esp_decapsulate} : Stage{macsec_in, Operation::macsec_validate};
        }) == 0);
  CHECK(jobs[0]->verdict == Verdict::esp_bad_icv);
  CHECK(jobs[20]->verdict == Verdict::ok);
  // The counting counts.
  const std::uint64_t before = allocations;
  const auto one = std::make_unique<int>(1);
  OPENSSL_free(OPENSSL_malloc(*one));
  CHECK(allocations == before + 2);
}
