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

TEST_CASE("A key is for one direction while it is used, then free for the other, and its numbers go on") {
  const auto registry = open();
  const auto other = open();
  const EspSa in = esp_sa(Direction::ingress, 110);
  const EspSa out = esp_sa(Direction::egress, 110);
  {
    // Ingress users are counted, in whatever order they go.
    auto first = registry->claim(in, KeyLife::ephemeral, "in 1");
    auto second = registry->claim(in, KeyLife::ephemeral, "in 2");
    REQUIRE((first.ok() && second.ok()));
    CHECK_FALSE(registry->claim(out, KeyLife::ephemeral, "out").ok());
    first = Error{"gone"};
    const auto refused = registry->claim(out, KeyLife::ephemeral, "out");
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Contains("for the other direction"));
    // Another registry's uses are its own: both ends of an SA may be in one process.
    CHECK(other->claim(out, KeyLife::ephemeral, "out").ok());
  }
  {
    const auto claim = claimed(*registry, out);
    CHECK(lease(*registry, claim->space(), 10)->begin == 1);
    CHECK_FALSE(registry->claim(in, KeyLife::ephemeral, "in").ok());
  }
  { CHECK(registry->claim(in, KeyLife::ephemeral, "in").ok()); }
  const auto claim = claimed(*registry, out);
  CHECK(lease(*registry, claim->space(), 10)->begin == 11);
}

TEST_CASE("An SSCI of an XPN key is for one direction whatever the salts, until its users are gone") {
  const auto registry = open();
  const auto sa_of_salt = [](Direction direction, std::uint8_t salt) {
    MacsecSa sa = test::macsec_sa(direction, 111, 1, CipherSuite::gcm_aes_xpn_256);
    sa.salt = test::secret<12>(12, salt);
    return sa;
  };
  const auto claim = [&](Direction direction, std::uint8_t salt) {
    return registry->claim(sa_of_salt(direction, salt), KeyLife::ephemeral, "circuit");
  };
  auto first = claim(Direction::ingress, 1);
  auto second = claim(Direction::ingress, 40);
  REQUIRE((first.ok() && second.ok()));
  CHECK_FALSE(claim(Direction::egress, 80).ok());
  first = Error{"gone"};
  CHECK_FALSE(claim(Direction::egress, 80).ok());
  second = Error{"gone"};
  const auto out = claim(Direction::egress, 80);
  REQUIRE(out.ok());
  CHECK_FALSE(claim(Direction::ingress, 1).ok());
  CHECK(lease(*registry, (*out)->space(), 1).ok());
}

TEST_CASE("What was refused leaves nothing of the key behind") {
  const auto registry = open();
  const EspSa out = esp_sa(Direction::egress, 112);
  {
    const auto claim = claimed(*registry, out);
    const auto second = registry->claim(out, KeyLife::ephemeral, "tunnel b out");
    REQUIRE_FALSE(second.ok());
    CHECK_THAT(second.error().message, Contains("\"tunnel a out\" encrypts with this key"));
    const auto protocol = registry->claim(test::macsec_sa(Direction::egress, 112, 1), KeyLife::ephemeral, "circuit");
    REQUIRE_FALSE(protocol.ok());
    CHECK_THAT(protocol.error().message, Contains("used before by ESP, asked for MACsec"));
    CHECK(lease(*registry, claim->space(), 1).ok());
  }
  CHECK(registry->claim(out, KeyLife::ephemeral, "tunnel b out").ok());
}

}  // namespace linecrypt::keys
