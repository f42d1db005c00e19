// Power goes at a random operation, a thousand times over: no number is lent twice, no acknowledged mark or enrolment
// is lost, and no loss of power makes the journal refuse to go on.
#include <catch2/catch.hpp>
#include <map>

#include "host/keys/registry_files.hpp"
#include "tests/support/fragile_disk.hpp"
#include "tests/support/key_samples.hpp"
#include "tests/support/long_form.hpp"
#include "tests/support/number_ledger.hpp"

namespace linecrypt::keys {
namespace {

using test::FragileDisk;
using test::NumberLedger;

constexpr std::size_t egress_count = 3;
constexpr std::size_t ledger_numbers = std::size_t{1} << 22U;

struct Outcome {
  std::uint64_t used = 0;
  std::uint64_t twice = 0;
  std::uint64_t beyond = 0;
  std::uint64_t refused = 0;          // opening failed after a loss of power
  std::uint64_t enrolments_lost = 0;  // acknowledged, then gone
  std::uint64_t marks_lost = 0;       // acknowledged, then lower
  std::uint64_t cut_tails = 0;
  std::string message;
};

class Scene {
 public:
  Scene(std::uint64_t seed, bool lying) : disk_(seed), random_(seed), ledger_(egress_count, ledger_numbers) {
    disk_.lie_about_syncs(lying);
    for (std::size_t i = 0; i < egress_count; ++i)
      egress_.push_back(test::esp_sa(Direction::egress, static_cast<std::uint8_t>(10 + i)));
    ingress_ = test::esp_sa(Direction::ingress, 99);
  }

  Outcome run(int losses) {
    for (int i = 0; i < losses; ++i) {
      disk_.lose_power_after(any(60));
      try {
        live();
      } catch (const test::PowerLost&) {
      }
      disk_.restart();
    }
    outcome_.used = ledger_.used();
    outcome_.twice = ledger_.twice();
    outcome_.beyond = ledger_.beyond();
    return outcome_;
  }

 private:
  std::uint64_t any(std::uint64_t largest) { return std::uniform_int_distribution<std::uint64_t>(0, largest)(random_); }

  // One life of a daemon, until power goes (or, rarely, it ends by itself).
  void live() {
    RegistryOptions options;
    options.compaction_threshold = 24;
    auto opened = open_registry(disk_.open(), directory_.path(), options);
    if (!opened) {
      ++outcome_.refused;
      outcome_.message = opened.error().message;
      return;
    }
    KeyRegistry& registry = **opened;
    for (const std::string& message : registry.take_messages())
      if (message.find("torn") != std::string::npos) ++outcome_.cut_tails;
    std::vector<std::unique_ptr<Claim>> claims;
    for (std::size_t i = 0; i < egress_count; ++i) claims.push_back(claim(registry, egress_[i], i));
    claims.push_back(claim(registry, ingress_, egress_count));
    const NumberSpaceId ingress = claims.back()->space();
    if (registry.state(ingress)->ingress_mark < mark_) ++outcome_.marks_lost;
    for (int i = 0; i < 40; ++i) {
      std::vector<LeaseRequest> requests;
      std::vector<std::size_t> whose;
      for (std::size_t space = 0; space < egress_count; ++space) {
        if (any(1) == 0) continue;
        requests.push_back({claims[space]->space(), 1 + any(40)});
        whose.push_back(space);
      }
      const auto leases = registry.acquire(requests);
      for (std::size_t at = 0; at < leases.size(); ++at) {
        REQUIRE(leases[at].ok());
        for (std::uint64_t number = leases[at]->begin; number < leases[at]->end; ++number)
          ledger_.use(whose[at], number);
        registry.note_sent(requests[at].space, leases[at]->begin);
      }
      const std::uint64_t higher = mark_ + any(5);
      const std::vector<KeyRegistry::IngressMark> marks{{ingress, higher}};
      if (registry.record_ingress(marks)) mark_ = higher;
    }
  }

  std::unique_ptr<Claim> claim(KeyRegistry& registry, const EspSa& sa, std::size_t which) {
    const std::string label = "space " + std::to_string(which);
    auto claim = registry.claim(sa, KeyLife::persistent, label);
    if (!claim) {
      if (enrolled_[which]) ++outcome_.enrolments_lost;
      const auto done = registry.enroll(sa, label, 1);
      REQUIRE(done.ok());
      claim = registry.claim(sa, KeyLife::persistent, label);
    }
    REQUIRE(claim.ok());
    enrolled_[which] = true;
    return std::move(claim).value();
  }

  test::TemporaryDirectory directory_;  // locks only
  FragileDisk disk_;
  std::mt19937_64 random_;
  NumberLedger ledger_;
  std::vector<EspSa> egress_;
  EspSa ingress_;
  std::map<std::size_t, bool> enrolled_;
  std::uint64_t mark_ = 0;
  Outcome outcome_;
};

// LINECRYPT_LONG=1: 50 times as many.
TEST_CASE("A thousand losses of power lend no number twice and lose nothing acknowledged") {
  const int rounds = test::long_form() ? 50 : 1;
  for (int round = 0; round < rounds; ++round) {
    Scene scene(static_cast<std::uint64_t>(round) + 1, false);
    const Outcome outcome = scene.run(1000);
    INFO(outcome.message);
    CHECK(outcome.used > 10000);
    CHECK(outcome.twice == 0);
    CHECK(outcome.beyond == 0);
    CHECK(outcome.refused == 0);
    CHECK(outcome.enrolments_lost == 0);
    CHECK(outcome.marks_lost == 0);
    CHECK(outcome.cut_tails > 10);  // the test does reach torn tails
  }
}

TEST_CASE("The same test finds a disk that lies about syncs") {
  Scene scene(1, true);
  const Outcome outcome = scene.run(100);
  CHECK(outcome.refused + outcome.twice + outcome.enrolments_lost + outcome.marks_lost > 0);
}

}  // namespace
}  // namespace linecrypt::keys
