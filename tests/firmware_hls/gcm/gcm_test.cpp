// The GCM block against NIST's answers and OpenSSL's. LINECRYPT_LONG=1 takes every size from 0 to 9216 bytes.
#include "firmware_hls/gcm/gcm.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "tests/firmware_hls/gcm/gcm_rig.hpp"
#include "tests/support/gcm_vectors.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::test {
namespace {

using firmware::GcmMode;

Bytes random_bytes(std::mt19937& random, std::size_t count) {
  Bytes bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

struct Key {
  explicit Key(Bytes raw) : bytes(std::move(raw)), entry(expand(bytes)) {}
  Bytes bytes;
  abi::KeyEntry entry;
};

// A few of both lengths: expanding one bit by bit is slow.
const std::vector<Key>& keys() {
  static const std::vector<Key> list = [] {
    std::mt19937 random(1);
    std::vector<Key> made;
    for (const std::size_t size : {16U, 32U, 16U, 32U, 32U}) made.emplace_back(random_bytes(random, size));
    return made;
  }();
  return list;
}

struct Case {
  GcmJob job;
  Sealed expected;
};

Case make_case(std::mt19937& random, std::size_t text_size, std::size_t aad_size, GcmMode mode, std::size_t key_index) {
  const Key& key = keys()[key_index % keys().size()];
  GcmJob job{key.entry, random_bytes(random, 12), random_bytes(random, aad_size), random_bytes(random, text_size),
             mode};
  Sealed expected = mode == GcmMode::authenticate ? seal(key.bytes, job.iv, job.text, {})
                                                  : seal(key.bytes, job.iv, job.aad, job.text);
  if (mode == GcmMode::authenticate) expected.text = job.text;
  if (mode == GcmMode::decrypt) std::swap(expected.text, job.text);
  return {std::move(job), std::move(expected)};
}

void check(GcmRig& rig, const std::vector<Case>& cases) {
  for (const auto& one : cases) rig.put(one.job);
  rig.run(cases.size());
  REQUIRE(rig.results.size() == cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i, cases[i].job.text.size(), cases[i].job.aad.size(), static_cast<int>(cases[i].job.mode));
    REQUIRE(to_hex(rig.results[i].text) == to_hex(cases[i].expected.text));
    REQUIRE(to_hex(rig.results[i].tag) == to_hex(cases[i].expected.tag));
  }
}

// Through the block; a text of wrong answers, empty when all are right. `taken` counts the vectors of a form it has.
std::string answer_all(const std::vector<GcmVector>& vectors, std::size_t& taken) {
  std::string wrong;
  for (const auto& one : vectors) {
    // Longer associated data are of no protocol here, except alone: then they go in as text. There are no 192-bit keys.
    const bool alone = one.sealed.empty();
    const bool fits = one.aad.size() <= firmware::aad_most;
    if (one.key.size() == 24 || (!fits && !alone)) continue;
    ++taken;
    const abi::KeyEntry key = expand(one.key);
    std::vector<GcmJob> jobs;
    std::vector<Bytes> answers;
    const auto add = [&](const Bytes& aad, const Bytes& text, const Bytes& answer, GcmMode mode) {
      jobs.push_back({key, one.iv, aad, text, mode});
      answers.push_back(answer);
    };
    if (fits) add(one.aad, one.sealed, one.clear, GcmMode::decrypt);
    if (alone) add({}, one.aad, one.aad, GcmMode::authenticate);
    if (fits && !one.must_fail) add(one.aad, one.clear, one.sealed, GcmMode::encrypt);
    GcmRig rig;
    for (const auto& job : jobs) rig.put(job);
    rig.run(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if ((rig.results[i].tag == one.tag) == one.must_fail) wrong += one.where + " tag\n";
      if (!one.must_fail && rig.results[i].text != answers[i]) wrong += one.where + " text\n";
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("The block gives the committed NIST answers, and a wrong one among them is found") {
  auto vectors = read_gcm_vectors(LINECRYPT_TEST_DATA "/vectors/nist_cavp_gcm.txt");
  REQUIRE(vectors.size() == 99);
  std::size_t taken = 0;
  CHECK(answer_all(vectors, taken) == "");
  CHECK(taken >= 40);
  vectors.resize(1);
  vectors[0].tag[3] ^= 0x10U;
  CHECK(answer_all(vectors, taken) != "");
}

TEST_CASE("The block gives all NIST answers of the installed vectors") {
  const char* named = std::getenv("LINECRYPT_CAVP_DIR");
  const std::string folder =
      named != nullptr ? named : "/usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/GCM";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: " << folder << " does not exist; install python3-cryptography-vectors or set LINECRYPT_CAVP_DIR");
    return;
  }
  const std::string name =
      GENERATE("gcmEncryptExtIV128.rsp", "gcmEncryptExtIV256.rsp", "gcmDecrypt128.rsp", "gcmDecrypt256.rsp");
  const auto vectors = read_gcm_vectors(folder + "/" + name);
  REQUIRE(vectors.size() == 375);
  std::size_t taken = 0;
  CHECK(answer_all(vectors, taken) == "");
  CHECK(taken >= 150);
}

TEST_CASE("Every size gives OpenSSL's answer with the associated data of ESP and of MACsec") {
  std::mt19937 random(2);
  std::vector<Case> cases;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 9216; ++size) {
    // Short form: all up to three turns of the ring's first beats, then around each multiple of 1024 and some between.
    const bool sampled = size <= 200 || size % 1024 <= 2 || size % 1024 >= 1022 || size % 509 == 0;
    if (long_form() || sampled) sizes.push_back(size);
  }
  for (const std::size_t size : sizes) {
    for (const std::size_t aad : {8U, 12U, 20U, 28U}) {
      if (!long_form() && size > 200 && aad != (size % 2 == 0 ? 12U : 28U)) continue;
      cases.push_back(make_case(random, size, aad, GcmMode::encrypt, random()));
      if (size % 3 == aad % 3) cases.push_back(make_case(random, size, aad, GcmMode::decrypt, random()));
    }
    if (size >= 20) cases.push_back(make_case(random, size, 0, GcmMode::authenticate, random()));
  }
  GcmRig rig;
  check(rig, cases);
}

TEST_CASE("Every length of associated data up to two blocks is hashed right, beside texts of every alignment") {
  std::mt19937 random(3);
  std::vector<Case> cases;
  for (std::size_t aad = 0; aad <= firmware::aad_most; ++aad) {
    for (const std::size_t size : {0U, 1U, 16U, 17U, 32U, 48U, 49U, 63U, 64U, 65U, 128U, 600U})
      cases.push_back(make_case(random, size, aad, GcmMode::encrypt, aad));
  }
  GcmRig rig;
  check(rig, cases);
}

TEST_CASE("Pauses of the input and of whoever takes the output change no byte") {
  std::mt19937 random(4);
  std::mt19937 input(5);
  std::mt19937 output(6);
  const unsigned share = GENERATE(2U, 3U, 20U);
  std::vector<Case> cases;
  for (int i = 0; i < 150; ++i) {
    const auto mode = static_cast<GcmMode>(random() % 3);
    cases.push_back(
        make_case(random, random() % 700, mode == GcmMode::authenticate ? 0 : random() % 33, mode, random()));
  }
  GcmRig rig([&] { return input() % share != 0; }, [&] { return output() % share != 0; });
  check(rig, cases);
}

TEST_CASE("One packet comes out although nothing follows it") {
  std::mt19937 random(7);
  const std::size_t size = GENERATE(0U, 1U, 64U, 1500U);
  GcmRig rig;
  check(rig, {make_case(random, size, 12, GcmMode::encrypt, 1)});
  // In the time of its beats, the two pipelines and the input's register.
  const std::size_t cycles = size / 64 + 1;
  CHECK(rig.clock.now() <= cycles + firmware::Gcm::text_latency() + firmware::Gcm::tag_latency() + 2);
}

TEST_CASE("Steady state is max(1, ceil((blocks + 1) / 4)) cycles a packet, with another key for each") {
  std::mt19937 random(8);
  const std::size_t size = GENERATE(0U, 1U, 16U, 46U, 48U, 49U, 64U, 65U, 112U, 113U, 128U, 1460U, 1504U, 9000U);
  const std::size_t aad = GENERATE(8U, 28U);
  std::vector<Case> cases;
  const std::size_t packets = size > 5000 ? 5 : 20;
  for (std::size_t i = 0; i < packets; ++i) cases.push_back(make_case(random, size, aad, GcmMode::encrypt, i));
  GcmRig rig;
  check(rig, cases);
  const std::size_t blocks = (size + 15) / 16;
  const std::uint64_t expected = std::max<std::uint64_t>(1, (blocks + 1 + 3) / 4);
  for (std::size_t i = 1; i < packets; ++i) CHECK(rig.tag_cycles[i] - rig.tag_cycles[i - 1] == expected);
}

TEST_CASE("A wrong bit anywhere gives another tag: in the text, the associated data, the IV and every key word used") {
  std::mt19937 random(9);
  const std::size_t size = 700;
  const Case one = make_case(random, size, 28, GcmMode::decrypt, 1);
  GcmRig rig;
  std::size_t packets = 0;
  const auto put = [&](const GcmJob& job) {
    rig.put(job);
    ++packets;
  };
  for (std::size_t i = 0; i < size; i += 13) {
    GcmJob job = one.job;
    job.text[i] = static_cast<std::uint8_t>(job.text[i] ^ (1U << (i % 8)));
    put(job);
  }
  for (std::size_t i = 0; i < 28; ++i) {
    GcmJob job = one.job;
    job.aad[i] = static_cast<std::uint8_t>(job.aad[i] ^ (1U << (i % 8)));
    put(job);
  }
  for (std::size_t i = 0; i < 12; ++i) {
    GcmJob job = one.job;
    job.iv[i] = static_cast<std::uint8_t>(job.iv[i] ^ (1U << (i % 8)));
    put(job);
  }
  for (auto& round_key : one.job.key.round_key) {
    GcmJob job = one.job;
    job.key.round_key[&round_key - &one.job.key.round_key[0]][3] ^= 1U;
    put(job);
  }
  rig.run(packets);
  for (const auto& result : rig.results) CHECK(result.tag != one.expected.tag);
}

TEST_CASE("Each power of H is used: a wrong one gives a wrong tag for some length") {
  std::mt19937 random(10);
  for (std::uint32_t power = 0; power < abi::ghash_powers; ++power) {
    CAPTURE(power);
    bool noticed = false;
    for (const std::size_t size : {64U, 48U, 32U, 16U, 700U}) {
      Case one = make_case(random, size, 28, GcmMode::encrypt, 0);
      one.job.key.power[power][7] ^= 0x10U;
      GcmRig rig;
      rig.put(one.job);
      rig.run(1);
      CHECK(rig.results[0].text == one.expected.text);
      noticed = noticed || rig.results[0].tag != one.expected.tag;
    }
    CHECK(noticed);
  }
}

}  // namespace linecrypt::test
