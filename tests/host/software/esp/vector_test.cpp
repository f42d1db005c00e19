// The published test cases for GCM and GMAC in ESP (tests/vectors/esp.txt), byte for byte.
#include <fstream>
#include <map>

#include "host/software/esp/context.hpp"
#include "host/software/esp/sa_context.hpp"
#include "host/values/key_arena.hpp"
#include "tests/host/software/esp/fixture.hpp"
#include "tests/support/aead.hpp"

using namespace linecrypt;
using namespace linecrypt::test;
namespace esp = linecrypt::software::esp;

namespace {

using Vector = std::map<std::string, std::string>;

std::vector<Vector> read_vectors() {
  std::ifstream file(LINECRYPT_TEST_DATA "/vectors/esp.txt");
  REQUIRE(file.good());
  std::vector<Vector> out;
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t equals = line.find(" = ");
    if (line.empty() || line[0] == '#' || equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals);
    if (key == "name") out.emplace_back();
    out.back()[key] = line.substr(equals + 3);
  }
  REQUIRE(out.size() == 15);
  return out;
}

EspSa sa_of(const Vector& vector, Direction direction) {
  EspSa sa;
  sa.direction = direction;
  sa.mode = EspMode::transport;
  const Bytes key = from_hex(vector.at("key"));
  const auto gcm = key.size() == 16   ? EspAlgorithm::aes_gcm_128
                   : key.size() == 24 ? EspAlgorithm::aes_gcm_192
                                      : EspAlgorithm::aes_gcm_256;
  sa.algorithm = vector.at("algorithm") == "gcm" ? gcm : EspAlgorithm::aes_gmac_128;
  sa.spi = static_cast<std::uint32_t>(std::stoul(vector.at("spi"), nullptr, 16));
  sa.key = Secret<32>(key);
  sa.salt = Secret<4>(from_hex(vector.at("salt")));
  sa.esn = vector.at("number").size() == 16;
  sa.source = address("10.1.0.7");
  sa.destination = address("10.2.0.9");
  return sa;
}

}  // namespace

TEST_CASE("the published ESP packets are sealed and opened byte for byte", "[esp][vector]") {
  const auto provider = GENERATE(from_range(all_providers()));
  INFO(provider->name());
  for (const Vector& vector : read_vectors()) {
    INFO(vector.at("name"));
    const EspSa sa = sa_of(vector, Direction::egress);
    KeyArena contexts(software::context_size_largest, software::context_alignment, 1);
    const auto made = esp::make_context(sa, *contexts.allocate());
    REQUIRE(made.ok());
    void* const context = *made;
    const ExpandedKey key(*provider, from_hex(vector.at("key")));
    static_cast<software::ContextHead*>(context)->key = key.get();
    const std::uint64_t number = std::stoull(vector.at("number"), nullptr, 16);
    std::array<std::uint8_t, 16> aad{};

    const Bytes text = from_hex(vector.at("text"));
    const Bytes expected = from_hex(vector.at("packet"));
    Bytes bytes = Bytes(expected.begin(), expected.begin() + 16) + text + Bytes(16);
    std::vector<software::AeadOp> ops(1);
    const auto fill = [&] {
      const auto& settings = *static_cast<esp::EgressContext*>(static_cast<software::ContextHead*>(context));
      const std::uint64_t iv = wire::bytes8(bytes.data() + wire::esp_header_size);
      const auto length = static_cast<std::uint32_t>(text.size());
      if (settings.plain)
        esp::fill_aead<esp::Shape::plain>(settings, number, aad.data(), ops[0], bytes.data(), iv, length);
      else
        esp::fill_aead<esp::Shape::any>(settings, number, aad.data(), ops[0], bytes.data(), iv, length);
    };
    fill();
    provider->seal(ops);
    CHECK(to_hex(bytes) == to_hex(expected));
    ops[0] = {};
    fill();
    provider->open(ops);
    CHECK(ops[0].good);
    CHECK(Bytes(bytes.begin() + 16, bytes.end() - 16) == text);
    // The second ESP of the tests agrees, so its word counts.
    CHECK(reference_seal(sa, number, text, Bytes(expected.begin() + 8, expected.begin() + 16)) == expected);

    esp::destroy_context(context, Direction::egress);
  }
}

TEST_CASE("the published ESP packets pass through the engine and give their payload", "[esp][vector]") {
  const auto choice = GENERATE(from_range(engines()));
  for (const Vector& vector : read_vectors()) {
    INFO(vector.at("name"));
    const EspSa sa = sa_of(vector, Direction::ingress);
    if (sa.spi < 256) continue;  // reserved (RFC 4303 2.1): no SA has it
    const std::uint64_t number = std::stoull(vector.at("number"), nullptr, 16);
    EspBench bench(choice);
    const SaId in = bench.install(sa, 1, number - 1);
    const Bytes text = from_hex(vector.at("text"));
    const std::size_t pad = text[text.size() - 2];
    const Ip esp_ip{.protocol = 50};
    const Outcome out = bench.decapsulate(in, packet(esp_ip, from_hex(vector.at("packet"))));
    CHECK(out.verdict == Verdict::ok);
    CHECK(out.number == number);
    const Ip clear_ip{.protocol = text.back()};
    CHECK(out.packet == packet(clear_ip, Bytes(text.begin(), text.end() - 2 - static_cast<std::ptrdiff_t>(pad))));
    // With one wrong salt bit it is refused.
    EspSa other = sa.duplicate();
    Bytes salt = from_hex(vector.at("salt"));
    salt[0] ^= 1;
    other.salt = Secret<4>(salt);
    const SaId wrong = bench.install(other, 1, number - 1);
    CHECK(bench.decapsulate(wrong, packet(esp_ip, from_hex(vector.at("packet")))).verdict == Verdict::esp_bad_icv);
  }
}
