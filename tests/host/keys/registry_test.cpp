// Who may use a key, and what is said to who may not.
#include "host/keys/registry.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "host/keys/registry_files.hpp"
#include "tests/support/key_samples.hpp"

namespace linecrypt::keys {
namespace {

using Catch::Contains;
using test::esp_sa;
using test::macsec_sa;
using test::TemporaryDirectory;

std::unique_ptr<KeyRegistry> open(const std::string& directory) {
  auto registry = KeyRegistry::open(directory);
  if (!registry) FAIL(registry.error().message);
  return std::move(registry).value();
}

template <typename AnySa>
std::unique_ptr<Claim> claimed(KeyRegistry& registry, const AnySa& sa, const std::string& label,
                               KeyLife life = KeyLife::ephemeral) {
  auto claim = registry.claim(sa, life, label);
  if (!claim) FAIL(claim.error().message);
  return std::move(claim).value();
}

template <typename AnySa>
std::string refusal(KeyRegistry& registry, const AnySa& sa, const std::string& label,
                    KeyLife life = KeyLife::ephemeral) {
  const auto claim = registry.claim(sa, life, label);
  return claim ? "not refused" : claim.error().message;
}

Result<Lease> lease(KeyRegistry& registry, const NumberSpaceId& space, std::uint64_t size) {
  const LeaseRequest request{space, size};
  return std::move(registry.acquire({&request, 1}).front());
}

TEST_CASE("A key is used for egress once, in one direction, in one protocol, and the refusal names its user") {
  const TemporaryDirectory directory;
  const auto registry = open(directory.path());
  // The second registry stands for another process: locks are per open file.
  const auto other = open(directory.path());
  KeyRegistry& second = GENERATE(true, false) ? *registry : *other;

  SECTION("ESP: a second egress user of key and salt") {
    const auto claim = claimed(*registry, esp_sa(Direction::egress, 1), "tunnel a out");
    CHECK_THAT(refusal(second, esp_sa(Direction::egress, 1), "tunnel b out"),
               Contains("equal key and salt") && Contains("tunnel a out"));
  }
  SECTION("ESP: equal key and salt for egress and ingress") {
    const auto claim = claimed(*registry, esp_sa(Direction::egress, 1), "tunnel a out");
    CHECK_THAT(refusal(second, esp_sa(Direction::ingress, 1), "tunnel a in"),
               Contains("equal key and salt") && Contains("tunnel a out"));
  }
  SECTION("ESP: the same the other way round") {
    const auto claim = claimed(*registry, esp_sa(Direction::ingress, 1), "tunnel a in");
    CHECK_THAT(refusal(second, esp_sa(Direction::egress, 1), "tunnel a out"),
               Contains("equal key and salt") && Contains("tunnel a in"));
  }
  SECTION("ESP: GMAC and GCM of one key, with and without ESN, share the space") {
    const auto claim = claimed(*registry, esp_sa(Direction::egress, 1), "tunnel a out");
    EspSa gmac = esp_sa(Direction::egress, 1, 0, false);
    gmac.algorithm = EspAlgorithm::aes_gmac_256;
    CHECK_THAT(refusal(second, gmac, "tunnel b out"), Contains("equal key and salt") && Contains("tunnel a out"));
  }
  SECTION("ESP: another salt is another space") {
    const auto claim = claimed(*registry, esp_sa(Direction::egress, 1, 0), "tunnel a out");
    CHECK(second.claim(esp_sa(Direction::ingress, 1, 9), KeyLife::ephemeral, "tunnel a in").ok());
  }
  SECTION("MACsec: equal SCI on both sides of a key") {
    const auto claim = claimed(*registry, macsec_sa(Direction::egress, 1, 1), "macsec p tx an 0");
    CHECK_THAT(refusal(second, macsec_sa(Direction::ingress, 1, 1), "macsec p rx an 0"),
               Contains("equal key and SCI") && Contains("macsec p tx an 0"));
    CHECK(second.claim(macsec_sa(Direction::ingress, 1, 2), KeyLife::ephemeral, "macsec p rx an 0").ok());
  }
  SECTION("MACsec: a key and SCI on two ports or two ANs") {
    const auto claim = claimed(*registry, macsec_sa(Direction::egress, 1, 1), "macsec p tx an 0");
    MacsecSa again = macsec_sa(Direction::egress, 1, 1);
    again.an = 1;
    CHECK_THAT(refusal(second, again, "macsec q tx an 1"), Contains("equal key and SCI") && Contains("macsec p tx"));
  }
  SECTION("XPN: equal SSCI on both sides of a key, whatever the SCI") {
    const auto suite = CipherSuite::gcm_aes_xpn_256;
    const auto claim = claimed(*registry, macsec_sa(Direction::egress, 1, 1, suite), "macsec p tx an 0");
    MacsecSa peer = macsec_sa(Direction::ingress, 1, 2, suite);
    peer.ssci = 1;
    CHECK_THAT(refusal(second, peer, "macsec p rx an 0"), Contains("equal key and SSCI") && Contains("macsec p tx"));
    peer.salt = test::secret<12>(12, 77);
    CHECK_THAT(refusal(second, peer, "macsec p rx an 0"), Contains("equal key and SSCI") && Contains("macsec p tx"));
    peer.ssci = 2;
    CHECK(second.claim(peer, KeyLife::ephemeral, "macsec p rx an 0").ok());
  }
  SECTION("XPN: another SSCI whose xor with another salt gives the same nonces") {
    const auto suite = CipherSuite::gcm_aes_xpn_128;
    const auto claim = claimed(*registry, macsec_sa(Direction::egress, 1, 1, suite), "macsec p tx an 0");
    MacsecSa same = macsec_sa(Direction::egress, 1, 1, suite);
    std::array<std::uint8_t, 12> salt{};
    std::copy(same.salt.bytes().begin(), same.salt.bytes().end(), salt.begin());
    salt[3] ^= 2U;
    same.salt = Secret<12>(salt);
    same.ssci ^= 2U;
    CHECK_THAT(refusal(second, same, "macsec q tx an 0"), Contains("equal key and SSCI") && Contains("macsec p tx"));
  }
  SECTION("One key for two protocols") {
    const auto claim = claimed(*registry, esp_sa(Direction::egress, 1), "tunnel a out");
    CHECK_THAT(refusal(second, macsec_sa(Direction::egress, 1, 1), "macsec p tx an 0"),
               Contains("MACsec") && Contains("in use for ESP") && Contains("tunnel a out"));
    // A refused claim leaves nothing behind.
    CHECK_THAT(refusal(second, macsec_sa(Direction::egress, 1, 1), "macsec p tx an 0"), Contains("in use for ESP"));
  }
  SECTION("A claim that ended is in nobody's way") {
    claimed(*registry, esp_sa(Direction::egress, 1), "tunnel a out").reset();
    CHECK(second.claim(macsec_sa(Direction::ingress, 1, 1), KeyLife::ephemeral, "macsec p rx an 0").ok());
  }
}

TEST_CASE("Two ingress users of a key are refused in one process and allowed in two") {
  const TemporaryDirectory directory;
  const auto registry = open(directory.path());
  const auto other = open(directory.path());
  const auto claim = claimed(*registry, esp_sa(Direction::ingress, 1), "tunnel a in");
  CHECK_THAT(refusal(*registry, esp_sa(Direction::ingress, 1), "tunnel b in"),
             Contains("twice for ingress") && Contains("tunnel a in"));
  // As a tool that reads a capture while the daemon runs.
  const auto reader = claimed(*other, esp_sa(Direction::ingress, 1), "pcap");
  CHECK_THAT(refusal(*other, esp_sa(Direction::egress, 1), "pcap out"), Contains("equal key and salt"));
}

TEST_CASE("A key that another process uses is refused until that process is gone, however it ends") {
  const TemporaryDirectory directory;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto registry = KeyRegistry::open(directory.path());
    const auto claim = registry ? (*registry)->claim(esp_sa(Direction::egress, 1), KeyLife::ephemeral, "tunnel a out")
                                : Result<std::unique_ptr<Claim>>(registry.error());
    const char answer = claim ? 'y' : 'n';
    static_cast<void>(!::write(ready[1], &answer, 1));
    for (;;) ::pause();
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  const auto registry = open(directory.path());
  const std::string message = refusal(*registry, esp_sa(Direction::egress, 1), "pcap protect");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  REQUIRE(answer == 'y');
  CHECK_THAT(message, Contains("tunnel a out") && Contains("process " + std::to_string(child)));
  CHECK(registry->claim(esp_sa(Direction::egress, 1), KeyLife::ephemeral, "pcap protect").ok());
}

TEST_CASE("A static key is refused until it is enrolled by name") {
  const TemporaryDirectory directory;
  const auto registry = open(directory.path());
  const EspSa sa = esp_sa(Direction::egress, 1);
  CHECK_THAT(refusal(*registry, sa, "tunnel a out", KeyLife::persistent),
             Contains("not enrolled") && Contains("linecryptctl key enroll") && Contains(directory.path()));
  REQUIRE(registry->enroll(sa, "tunnel a out", 1).ok());
  CHECK(registry->claim(sa, KeyLife::persistent, "tunnel a out").ok());

  SECTION("and not enrolled twice") {
    const auto again = registry->enroll(sa, "tunnel b out", 1);
    REQUIRE_FALSE(again.ok());
    CHECK_THAT(again.error().message, Contains("enrolled already") && Contains("tunnel a out"));
    const auto reverse = registry->enroll(esp_sa(Direction::ingress, 1), "tunnel a in", 1);
    REQUIRE_FALSE(reverse.ok());
    CHECK_THAT(reverse.error().message, Contains("for egress as \"tunnel a out\""));
  }
  SECTION("nor used the other way round, nor as an ephemeral key") {
    CHECK_THAT(refusal(*registry, esp_sa(Direction::ingress, 1), "tunnel a in", KeyLife::persistent),
               Contains("enrolled for egress") && Contains("tunnel a out"));
    CHECK_THAT(refusal(*registry, sa, "tunnel a out", KeyLife::ephemeral), Contains("static key \"tunnel a out\""));
  }
  SECTION("and forgetting it keeps its numbers") {
    {
      const auto claim = claimed(*registry, sa, "tunnel a out", KeyLife::persistent);
      REQUIRE(lease(*registry, claim->space(), 100)->end == 101);
      const auto forgotten = registry->forget(claim->space());
      REQUIRE_FALSE(forgotten.ok());
      CHECK_THAT(forgotten.error().message, Contains("is in use"));
    }
    REQUIRE(registry->forget(registry->egress_space(sa)).ok());
    CHECK_THAT(refusal(*registry, sa, "tunnel a out", KeyLife::persistent), Contains("forgotten"));
    CHECK_THAT(refusal(*registry, sa, "tunnel a out", KeyLife::ephemeral), Contains("static key"));
    REQUIRE(registry->enroll(sa, "tunnel a out", 1).ok());
    const auto claim = claimed(*registry, sa, "tunnel a out", KeyLife::persistent);
    CHECK(lease(*registry, claim->space(), 1)->begin == 101);
  }
  SECTION("nor forgotten when it was never enrolled") {
    CHECK_FALSE(registry->forget(registry->egress_space(esp_sa(Direction::egress, 2))).ok());
  }
}

TEST_CASE("Leases follow each other and never overlap, over restarts too") {
  const TemporaryDirectory directory;
  const EspSa sa = esp_sa(Direction::egress, 1);
  std::uint64_t next = 1;
  for (int restart = 0; restart < 5; ++restart) {
    const auto registry = open(directory.path());
    if (restart == 0) REQUIRE(registry->enroll(sa, "tunnel a out", 1).ok());
    const auto claim = claimed(*registry, sa, "tunnel a out", KeyLife::persistent);
    for (std::uint64_t size : {1U, 100U, 4096U}) {
      const auto lent = lease(*registry, claim->space(), size);
      REQUIRE(lent.ok());
      CHECK(lent->begin == next);
      CHECK(lent->size() == size);
      next = lent->end;
    }
    CHECK(registry->state(claim->space())->egress_next == next);
  }
}

TEST_CASE("Requests for one space in one batch do not overlap") {
  const TemporaryDirectory directory;
  const auto registry = open(directory.path());
  const KeyLife life = GENERATE(KeyLife::persistent, KeyLife::ephemeral);
  const EspSa sa = esp_sa(Direction::egress, 1);
  if (life == KeyLife::persistent) REQUIRE(registry->enroll(sa, "a", 1).ok());
  const auto claim = claimed(*registry, sa, "a", life);
  const std::vector<LeaseRequest> requests{{claim->space(), 10}, {{}, 10}, {claim->space(), 0}, {claim->space(), 5}};
  const auto leases = registry->acquire(requests);
  CHECK(leases[0].value() == Lease{1, 11});
  CHECK_THAT(leases[1].error().message, Contains("not claimed for egress"));
  CHECK_THAT(leases[2].error().message, Contains("0 numbers"));
  CHECK(leases[3].value() == Lease{11, 16});
}

TEST_CASE("A lease is at most 2^20 numbers, 2^16 of a 32-bit space") {
  const TemporaryDirectory directory;
  const auto registry = open(directory.path());
  const auto wide = claimed(*registry, esp_sa(Direction::egress, 1), "wide");
  const auto narrow = claimed(*registry, esp_sa(Direction::egress, 2, 0, false), "narrow");
  const auto macsec = claimed(*registry, macsec_sa(Direction::egress, 3, 1), "macsec");
  const auto xpn = claimed(*registry, macsec_sa(Direction::egress, 4, 1, CipherSuite::gcm_aes_xpn_128), "xpn");
  CHECK(lease(*registry, wide->space(), ~std::uint64_t{0})->size() == lease_largest);
  CHECK(lease(*registry, narrow->space(), ~std::uint64_t{0})->size() == lease_largest_32bit);
  CHECK(lease(*registry, macsec->space(), ~std::uint64_t{0})->size() == lease_largest_32bit);
  CHECK(lease(*registry, xpn->space(), ~std::uint64_t{0})->size() == lease_largest);
}

TEST_CASE("Numbers go on over 2^32 with ESN and XPN, and end there without") {
  const TemporaryDirectory directory;
  constexpr std::uint64_t edge = std::uint64_t{1} << 32U;
  SECTION("ESN") {
    const EspSa sa = esp_sa(Direction::egress, 1);
    REQUIRE(open(directory.path())->enroll(sa, "a", edge - 10).ok());
    for (std::uint64_t begin = edge - 10; begin < edge + 10; begin += 4) {
      const auto registry = open(directory.path());
      const auto claim = claimed(*registry, sa, "a", KeyLife::persistent);
      CHECK(lease(*registry, claim->space(), 4).value() == Lease{begin, begin + 4});
    }
  }
  SECTION("without ESN the last lease ends at 2^32, and the key is refused by name from then on") {
    const EspSa sa = esp_sa(Direction::egress, 1, 0, false);
    const auto registry = open(directory.path());
    REQUIRE(registry->enroll(sa, "a", edge - 10).ok());
    auto claim = claimed(*registry, sa, "a", KeyLife::persistent);
    CHECK(lease(*registry, claim->space(), 100).value() == Lease{edge - 10, edge});
    CHECK_THAT(lease(*registry, claim->space(), 100).error().message, Contains("all 32-bit numbers"));
    claim.reset();
    CHECK_THAT(refusal(*registry, sa, "a", KeyLife::persistent), Contains("all 32-bit numbers") && Contains("ESN"));
    // The nonces are used up for good, but with ESN the space is longer.
    CHECK(registry->claim(esp_sa(Direction::egress, 1), KeyLife::persistent, "a").ok());
  }
  SECTION("an ingress mark at the end") {
    const EspSa sa = esp_sa(Direction::ingress, 1, 0, false);
    const auto registry = open(directory.path());
    REQUIRE(registry->enroll(sa, "a", 1).ok());
    const std::vector<KeyRegistry::IngressMark> marks{{registry->egress_space(sa), edge - 1}};
    REQUIRE(registry->record_ingress(marks).ok());
    CHECK_THAT(refusal(*registry, sa, "a", KeyLife::persistent), Contains("all 32-bit numbers"));
  }
  SECTION("64 bits end too") {
    const EspSa sa = esp_sa(Direction::egress, 1);
    const auto registry = open(directory.path());
    REQUIRE(registry->enroll(sa, "a", ~std::uint64_t{0} - 5).ok());
    const auto claim = claimed(*registry, sa, "a", KeyLife::persistent);
    CHECK(lease(*registry, claim->space(), 100)->end == ~std::uint64_t{0});
    CHECK_FALSE(lease(*registry, claim->space(), 100).ok());
  }
  SECTION("numbers out of the space are not enrolled") {
    const auto registry = open(directory.path());
    CHECK_FALSE(registry->enroll(esp_sa(Direction::egress, 1, 0, false), "a", edge).ok());
    CHECK_FALSE(registry->enroll(esp_sa(Direction::egress, 1), "a", 0).ok());
  }
}

TEST_CASE("Numbers leased or skipped stay below 2^30 ahead of what was sent") {
  const TemporaryDirectory directory;
  const EspSa sa = esp_sa(Direction::egress, 1);
  auto registry = open(directory.path());
  REQUIRE(registry->enroll(sa, "a", 1).ok());
  auto claim = claimed(*registry, sa, "a", KeyLife::persistent);
  const NumberSpaceId space = claim->space();
  std::uint64_t last = 0;
  std::string message;
  for (int i = 0; i < 2000; ++i) {
    const auto lent = lease(*registry, space, lease_largest);
    if (!lent) {
      message = lent.error().message;
      break;
    }
    last = lent->end - 1;
  }
  CHECK(last == lead_largest - 1);
  CHECK_THAT(message, Contains("2^30") && Contains("new key"));
  // A restart does not help: what was sent is in the journal.
  claim.reset();
  registry.reset();
  registry = open(directory.path());
  claim = claimed(*registry, sa, "a", KeyLife::persistent);
  CHECK_FALSE(lease(*registry, space, 1).ok());
  // Sending does, over restarts too.
  registry->note_sent(space, 1000);
  CHECK(lease(*registry, space, 5000)->size() == 1000);
  CHECK_FALSE(lease(*registry, space, 1).ok());
  registry->note_sent(space, 1500);
  REQUIRE(registry->record_ingress({}).ok());
  claim.reset();
  registry.reset();
  registry = open(directory.path());
  CHECK(registry->state(space)->egress_sent == 1500);
  claim = claimed(*registry, sa, "a", KeyLife::persistent);
  CHECK(lease(*registry, space, 5000)->size() == 500);
}

TEST_CASE("Ingress marks outlive a restart and never go back") {
  const TemporaryDirectory directory;
  const EspSa a = esp_sa(Direction::ingress, 1);
  const MacsecSa b = macsec_sa(Direction::ingress, 2, 1);
  {
    const auto registry = open(directory.path());
    REQUIRE(registry->enroll(a, "a", 1).ok());
    REQUIRE(registry->enroll(b, "b", 501).ok());
    CHECK(registry->state(registry->egress_space(b))->ingress_mark == 500);
    const std::vector<KeyRegistry::IngressMark> marks{{registry->egress_space(a), 70000},
                                                      {registry->egress_space(b), 600}};
    REQUIRE(registry->record_ingress(marks).ok());
    const std::vector<KeyRegistry::IngressMark> back{{registry->egress_space(a), 5}};
    REQUIRE(registry->record_ingress(back).ok());
    // One without a record does not hold up the others.
    const std::vector<KeyRegistry::IngressMark> mixed{{{}, 5}, {registry->egress_space(b), 601}};
    CHECK_FALSE(registry->record_ingress(mixed).ok());
  }
  const auto registry = open(directory.path());
  CHECK(registry->state(registry->egress_space(a))->ingress_mark == 70000);
  CHECK(registry->state(registry->egress_space(b))->ingress_mark == 601);
  CHECK(registry->spaces().size() == 2);
  CHECK(registry->spaces()[0].label == "a");
}

TEST_CASE("An ephemeral key that comes back goes on where it stopped") {
  const TemporaryDirectory directory;
  const auto registry = open(directory.path());
  const EspSa sa = esp_sa(Direction::egress, 1);
  auto claim = claimed(*registry, sa, "a");
  CHECK(lease(*registry, claim->space(), 50).value() == Lease{1, 51});
  claim.reset();
  claim = claimed(*registry, sa, "a");
  CHECK(lease(*registry, claim->space(), 50).value() == Lease{51, 101});
  // What it had sent counts too: else it would stop 2^30 numbers after its beginning.
  registry->note_sent(claim->space(), 90);
  claim.reset();
  claim = claimed(*registry, sa, "a");
  CHECK(registry->state(claim->space())->egress_sent == 90);
}

TEST_CASE("What one process leases, another one sees") {
  const TemporaryDirectory directory;
  const EspSa sa = esp_sa(Direction::egress, 1);
  const auto a = open(directory.path());
  const auto b = open(directory.path());
  REQUIRE(a->enroll(sa, "x", 1).ok());
  std::uint64_t next = 1;
  for (int i = 0; i < 10; ++i) {
    KeyRegistry& user = i % 2 == 0 ? *a : *b;
    const auto claim = claimed(user, sa, "x", KeyLife::persistent);
    const auto lent = lease(user, claim->space(), 7);
    REQUIRE(lent.ok());
    CHECK(lent->begin == next);
    next = lent->end;
  }
  CHECK(a->spaces().front().egress_next == next);
}

TEST_CASE("A directory or key file that others may read is refused with its mode") {
  const TemporaryDirectory parent;
  const std::string directory = parent.path() + "/state";
  open(directory).reset();
  struct stat status {};
  REQUIRE(::stat(directory.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0700);

  SECTION("the directory") {
    ::chmod(directory.c_str(), 0755);
    const auto refused = KeyRegistry::open(directory);
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Contains(directory) && Contains("0755") && Contains("chmod 700"));
  }
  SECTION("a file") {
    const std::string name = GENERATE("host.key", "journal", "witness");
    ::chmod((directory + "/" + name).c_str(), 0640);
    const auto refused = KeyRegistry::open(directory);
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Contains(name) && Contains("0640") && Contains("600"));
  }
  SECTION("another owner") {
    if (::geteuid() == 0) {
      REQUIRE(::chown(directory.c_str(), 12345, 12345) == 0);
      const auto refused = KeyRegistry::open(directory);
      REQUIRE_FALSE(refused.ok());
      CHECK_THAT(refused.error().message, Contains("owned by user 12345"));
    }
  }
  SECTION("a parent that is not there is not made") {
    CHECK_FALSE(KeyRegistry::open(directory + "/a/b").ok());
  }
}

TEST_CASE("A journal without its host.key, or with a damaged one, is refused") {
  const TemporaryDirectory directory;
  const EspSa sa = esp_sa(Direction::egress, 1);
  REQUIRE(open(directory.path())->enroll(sa, "a", 1).ok());
  const std::string key = directory.path() + "/host.key";
  const auto refused = [&] {
    const auto registry = KeyRegistry::open(directory.path());
    return registry ? std::string("not refused") : registry.error().message;
  };
  REQUIRE(refused() == "not refused");
  SECTION("missing") {
    REQUIRE(::unlink(key.c_str()) == 0);
    CHECK_THAT(refused(), Contains("host.key: missing") && Contains("linecryptctl key enroll"));
  }
  SECTION("cut") {
    REQUIRE(::truncate(key.c_str(), GENERATE(0, 1, 60)) == 0);
    CHECK_THAT(refused(), Contains("host.key: damaged"));
  }
  SECTION("changed") {
    const std::streamoff at = GENERATE(0, 20, 79);
    std::fstream file(key, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
    file.close();
    CHECK_THAT(refused(), Contains("damaged"));
  }
  SECTION("not a regular file") {
    REQUIRE(::unlink(key.c_str()) == 0);
    REQUIRE(::symlink("/etc/hostname", key.c_str()) == 0);
    CHECK_THAT(refused(), Contains("host.key"));
  }
}

TEST_CASE("The directory belongs to the host that made it") {
  const TemporaryDirectory directory;
  const std::string id_path = directory.path() + "-machine-id";
  const auto open_as = [&](const std::string& id) {
    std::ofstream(id_path, std::ios::trunc) << id << '\n';
    RegistryOptions options;
    options.machine_id = id_path;
    auto files = open_state_files(directory.path());
    REQUIRE(files.ok());
    return open_registry(std::move(*files), directory.path(), options);
  };
  const std::string here(32, 'a');
  SECTION("and is refused on another") {
    REQUIRE(open_as(here).ok());
    CHECK(open_as(here).ok());
    const auto refused = open_as(std::string(32, 'b'));
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Contains("another host") && Contains("linecryptctl key enroll"));
    CHECK_FALSE(open_as("").ok());
  }
  SECTION("and where the host has no machine-id, that is said") {
    auto registry = open_as(GENERATE("", "uninitialized"));
    REQUIRE(registry.ok());
    const auto messages = (*registry)->take_messages();
    REQUIRE(messages.size() == 1);
    CHECK_THAT(messages.front(), Contains("no machine-id") && Contains("host.id"));
    CHECK((*registry)->take_messages().empty());
    registry->reset();
    // It keeps its own name when the host gets one later.
    CHECK(open_as(here).ok());
  }
  ::unlink(id_path.c_str());
}

}  // namespace
}  // namespace linecrypt::keys
