// kill -9 at a random moment of a process that leases and uses numbers: none is used twice.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <thread>

#include "host/keys/registry.hpp"
#include "tests/support/key_samples.hpp"
#include "tests/support/long_form.hpp"
#include "tests/support/number_ledger.hpp"

namespace linecrypt::keys {
namespace {

using test::NumberLedger;

constexpr std::size_t spaces = 2;

// What a child does until it is killed; it ends by itself only when something is wrong.
[[noreturn]] void lease_and_use(const std::string& directory, NumberLedger& ledger, std::uint64_t seed) {
  const auto give_up = [](const std::string& why) {
    std::fprintf(stderr, "lease worker: %s\n", why.c_str());
    ::_exit(1);
  };
  std::mt19937_64 random(seed);
  auto registry = KeyRegistry::open(directory);
  if (!registry) give_up(registry.error().message);
  std::vector<std::unique_ptr<Claim>> claims;
  for (std::uint8_t i = 0; i < spaces; ++i) {
    auto claim = (*registry)->claim(test::esp_sa(Direction::egress, i), KeyLife::persistent, "worker");
    if (!claim) give_up(claim.error().message);
    claims.push_back(std::move(*claim));
  }
  for (;;) {
    std::vector<LeaseRequest> requests;
    for (const auto& claim : claims) requests.push_back({claim->space(), 1 + random() % 16});
    const auto leases = (*registry)->acquire(requests);
    for (std::size_t i = 0; i < leases.size(); ++i) {
      if (!leases[i]) give_up(leases[i].error().message);
      for (std::uint64_t number = leases[i]->begin; number < leases[i]->end; ++number) ledger.use(i, number);
    }
  }
}

// LINECRYPT_LONG=1: 1000 kills, else 200.
TEST_CASE("kill -9 at any moment repeats no number") {
  const test::TemporaryDirectory directory;
  NumberLedger ledger(spaces, std::size_t{1} << 24U);
  {
    auto registry = KeyRegistry::open(directory.path());
    REQUIRE(registry.ok());
    for (std::uint8_t i = 0; i < spaces; ++i)
      REQUIRE((*registry)->enroll(test::esp_sa(Direction::egress, i), "worker", 1).ok());
  }
  const int kills = test::long_form() ? 1000 : 200;
  std::mt19937_64 random(1);
  // A slow disk or a busy machine gives a child more time, so that about every second one comes to using numbers.
  constexpr std::uint64_t shortest_us = 3000;
  std::uint64_t longest_us = shortest_us;
  for (int i = 0; i < kills; ++i) {
    const std::uint64_t before = ledger.used();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) lease_and_use(directory.path(), ledger, random());
    std::this_thread::sleep_for(std::chrono::microseconds(random() % longest_us));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const std::uint64_t step = longest_us / 8;
    longest_us = ledger.used() == before ? std::min<std::uint64_t>(longest_us + step, 200'000)
                                         : std::max(longest_us - step, shortest_us);
  }
  CHECK(ledger.used() > 1000);
  CHECK(ledger.twice() == 0);
  CHECK(ledger.beyond() == 0);
}

TEST_CASE("The ledger finds a number that is used twice") {
  NumberLedger ledger(1, 16);
  ledger.use(0, 5);
  CHECK(ledger.twice() == 0);
  ledger.use(0, 5);
  CHECK(ledger.twice() == 1);
  ledger.use(0, 16);
  CHECK(ledger.beyond() == 1);
}

}  // namespace
}  // namespace linecrypt::keys
