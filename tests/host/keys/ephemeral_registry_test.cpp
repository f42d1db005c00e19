// Numbers of a program without a state directory. That a key encrypts once in a process is shown through the C
// interface as well (tests/host/capi).
#include "host/keys/ephemeral_registry.hpp"

#include <catch2/catch.hpp>

#include "tests/support/key_samples.hpp"

namespace linecrypt::keys {
namespace {

using Catch::Contains;
using test::esp_sa;

std::unique_ptr<EphemeralRegistry> open() {
  auto registry = open_ephemeral_registry();
  if (!registry) FAIL(registry.error().message);
  return std::move(registry).value();
}

std::unique_ptr<Claim> claimed(KeyRegistry& registry, const EspSa& sa) {
  auto claim = registry.claim(sa, KeyLife::ephemeral, "tunnel a out");
  if (!claim) FAIL(claim.error().message);
  return std::move(claim).value();
}

Result<Lease> lease(KeyRegistry& registry, const NumberSpaceId& space, std::uint64_t size) {
  const LeaseRequest request{space, size};
  return std::move(registry.acquire({&request, 1}).front());
}

// Each test its own key: spaces belong to the process.
EspSa sa_of(std::uint8_t key) {
  return esp_sa(Direction::egress, key);
}

}  // namespace

TEST_CASE("Numbers skipped are never lent, and those that were lent are never skipped back to") {
  const auto registry = open();
  const auto claim = claimed(*registry, sa_of(101));
  REQUIRE(registry->skip_to(claim->space(), 1000).ok());
  CHECK(lease(*registry, claim->space(), 10)->begin == 1000);
  const auto back = registry->skip_to(claim->space(), 1009);
  REQUIRE_FALSE(back.ok());
  CHECK_THAT(back.error().message, Contains("1009 asked") && Contains("allowed are 1010 and above"));
  CHECK(registry->skip_to(claim->space(), 1010).ok());
  CHECK(lease(*registry, claim->space(), 10)->begin == 1010);
}

TEST_CASE("A key goes on where it stopped, in whatever registry of the process") {
  const auto first = open();
  const auto second = open();
  NumberSpaceId space;
  {
    const auto claim = claimed(*first, sa_of(102));
    space = claim->space();
    REQUIRE(first->skip_to(space, 500).ok());
    REQUIRE(lease(*first, space, 100)->end == 600);
    CHECK_FALSE(second->claim(sa_of(102), KeyLife::ephemeral, "tunnel b out").ok());
  }
  const auto claim = claimed(*second, sa_of(102));
  CHECK(claim->space() == space);
  CHECK_FALSE(second->skip_to(space, 599).ok());
  CHECK(lease(*second, space, 1)->begin == 600);
}

TEST_CASE("Who has no claim skips nothing") {
  const auto registry = open();
  const auto other = open();
  const auto claim = claimed(*registry, sa_of(103));
  CHECK_FALSE(other->skip_to(claim->space(), 5).ok());
  CHECK_FALSE(registry->skip_to(registry->egress_space(sa_of(104)), 5).ok());
  const auto inbound = registry->claim(esp_sa(Direction::ingress, 105), KeyLife::ephemeral, "tunnel c in");
  REQUIRE(inbound.ok());
  CHECK_FALSE(registry->skip_to((*inbound)->space(), 5).ok());
}

TEST_CASE("A space skipped to its end lends no more") {
  const auto registry = open();
  const auto claim = claimed(*registry, esp_sa(Direction::egress, 106, 0, false));
  REQUIRE(registry->skip_to(claim->space(), 0xffffffffU).ok());
  const auto last = lease(*registry, claim->space(), 100);
  REQUIRE(last.ok());
  CHECK(last->size() == 1);
  CHECK_FALSE(lease(*registry, claim->space(), 1).ok());
}

}  // namespace linecrypt::keys
