// NIST's known answers. The whole files come from Debian's python3-cryptography-vectors; LINECRYPT_CAVP_DIR in the
// environment names another place. A few dozen are in tests/vectors, so that there is always something to answer.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "tests/support/aead.hpp"
#include "tests/support/gcm_vectors.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

bool all_zero(const Bytes& bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

// A text of wrong answers; empty when all are right. All messages of a file go through as bursts of 32.
std::string answer_all(software::AeadProvider& provider, const std::vector<GcmVector>& vectors) {
  std::string wrong;
  for (std::size_t first = 0; first < vectors.size(); first += 32) {
    const std::size_t count = std::min<std::size_t>(32, vectors.size() - first);
    std::vector<std::unique_ptr<ExpandedKey>> keys;
    std::vector<Message> sealing;
    std::vector<Message> opening;
    std::vector<software::AeadOp> seals;
    std::vector<software::AeadOp> opens;
    for (std::size_t i = 0; i < count; ++i) {
      const GcmVector& v = vectors[first + i];
      // With a payload, associated data is at most 64 bytes a piece.
      const std::size_t head = std::min<std::size_t>(v.aad.size(), 64);
      keys.push_back(std::make_unique<ExpandedKey>(provider, v.key));
      sealing.emplace_back(v.clear, v.aad, head, i % 2 == 0);
      opening.emplace_back(v.sealed, v.aad, head, i % 3 == 0);
      opening.back().set_tag(v.tag);
    }
    for (std::size_t i = 0; i < count; ++i) {
      seals.push_back(sealing[i].op(keys[i]->get(), vectors[first + i].iv));
      opens.push_back(opening[i].op(keys[i]->get(), vectors[first + i].iv));
    }
    provider.seal(seals);
    provider.open(opens);
    for (std::size_t i = 0; i < count; ++i) {
      const GcmVector& v = vectors[first + i];
      const bool sealed = v.must_fail || (sealing[i].output() == v.sealed && sealing[i].tag() == v.tag);
      const bool opened = v.must_fail ? !opens[i].good && all_zero(opening[i].output())
                                      : opens[i].good && opening[i].output() == v.clear;
      if (!sealed) wrong += v.where + " seal\n";
      if (!opened) wrong += v.where + " open\n";
      if (!sealing[i].intact() || !opening[i].intact()) wrong += v.where + " wrote outside\n";
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("Each provider gives the committed NIST answers") {
  const auto vectors = read_gcm_vectors(LINECRYPT_TEST_DATA "/vectors/nist_cavp_gcm.txt");
  REQUIRE(vectors.size() == 99);
  const auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  INFO(provider.name());
  CHECK(answer_all(const_cast<software::AeadProvider&>(provider), vectors) == "");
}

TEST_CASE("Each provider gives all NIST answers of the installed vectors") {
  const char* named = std::getenv("LINECRYPT_CAVP_DIR");
  const std::string folder =
      named != nullptr ? named : "/usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/GCM";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: " << folder << " does not exist; install python3-cryptography-vectors or set LINECRYPT_CAVP_DIR");
    return;
  }
  const std::string name = GENERATE("gcmEncryptExtIV128.rsp", "gcmEncryptExtIV192.rsp", "gcmEncryptExtIV256.rsp",
                                    "gcmDecrypt128.rsp", "gcmDecrypt192.rsp", "gcmDecrypt256.rsp");
  const auto vectors = read_gcm_vectors(folder + "/" + name);
  REQUIRE(vectors.size() == 375);
  for (const auto& provider : all_providers()) {
    INFO(provider->name());
    CHECK(answer_all(*provider, vectors) == "");
  }
}

TEST_CASE("A wrong answer among the vectors is found") {
  auto vectors = read_gcm_vectors(LINECRYPT_TEST_DATA "/vectors/nist_cavp_gcm.txt");
  vectors.resize(40);
  vectors[7].tag[3] ^= 0x10U;
  for (const auto& provider : all_providers()) {
    const std::string wrong = answer_all(*provider, vectors);
    CHECK(wrong == vectors[7].where + " seal\n" + vectors[7].where + " open\n");
  }
}
