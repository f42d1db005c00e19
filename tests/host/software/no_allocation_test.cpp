// The data path allocates nothing: every allocation of this program, OpenSSL's own included, is counted.
#include <openssl/crypto.h>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/host/software/counted_new.hpp"
#include "tests/support/allocation_load.hpp"

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
  check_nothing_is_allocated(rig, [&](std::vector<Job*>& jobs) {
    const std::uint64_t before = allocations;
    rig.engine().submit(QueueId{0}, jobs);
    return allocations - before;
  });
  // The counting counts.
  const std::uint64_t before = allocations;
  const auto one = std::make_unique<int>(1);
  OPENSSL_free(OPENSSL_malloc(*one));
  CHECK(allocations == before + 2);
}
