// IEEE 802.1AE-2018 Annex C, byte for byte, in both directions.
#include <fstream>
#include <map>

#include "tests/host/software/macsec/rig.hpp"

using namespace linecrypt;
using namespace linecrypt::macsec_test;

namespace {

using Vector = std::map<std::string, std::string>;

std::vector<Vector> read_vectors(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file.good());
  std::vector<Vector> out(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      if (!out.back().empty()) out.emplace_back();
      continue;
    }
    const std::size_t equals = line.find(" = ");
    REQUIRE(equals != std::string::npos);
    out.back()[line.substr(0, equals)] = line.substr(equals + 3);
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

CipherSuite suite_of(const std::string& text) {
  if (text == "gcm-aes-128") return CipherSuite::gcm_aes_128;
  if (text == "gcm-aes-256") return CipherSuite::gcm_aes_256;
  if (text == "gcm-aes-xpn-128") return CipherSuite::gcm_aes_xpn_128;
  REQUIRE(text == "gcm-aes-xpn-256");
  return CipherSuite::gcm_aes_xpn_256;
}

MacsecSa sa_of(Vector vector, Direction direction) {
  const Bytes tagged = from_hex(vector["protected"]);
  const std::uint8_t tci = tagged[14];
  MacsecSa sa;
  sa.direction = direction;
  sa.secy.suite = suite_of(vector["suite"]);
  sa.secy.encrypt = (tci & wire::tci_encrypted) != 0;
  sa.secy.sci_encoding = (tci & wire::tci_sc) != 0 ? SciEncoding::explicit_sci : SciEncoding::end_station;
  const Bytes sci = from_hex(vector["sci"]);
  std::copy(sci.begin(), sci.begin() + 6, sa.sci.address.bytes.begin());
  sa.sci.port = static_cast<std::uint16_t>(sci[6] << 8U | sci[7]);
  sa.an = tci & wire::an_mask;
  sa.key = secret<32>(from_hex(vector["key"]));
  if (vector.count("salt") != 0) {
    sa.salt = secret<12>(from_hex(vector["salt"]));
    sa.ssci = static_cast<std::uint32_t>(std::stoul(vector["ssci"], nullptr, 16));
  }
  return sa;
}

}  // namespace

TEST_CASE("each frame of Annex C comes out byte for byte, protected and validated", "[vector]") {
  const EngineKind kind = every_engine();
  const auto vectors = read_vectors(LINECRYPT_TEST_DATA "/vectors/macsec_802_1ae_annex_c.txt");
  REQUIRE(vectors.size() == 32);  // 8 frames, 4 suites
  Rig rig(kind);
  for (Vector vector : vectors) {
    INFO(kind.name << ": " << vector["name"]);
    const std::uint64_t pn = std::stoull(vector["pn"], nullptr, 16);
    const Bytes clear = from_hex(vector["clear"]);
    const Bytes tagged = from_hex(vector["protected"]);

    const SaId transmit = rig.add(sa_of(vector, Direction::egress), pn);
    Frame out(clear);
    REQUIRE(rig.protect(transmit, out) == Verdict::ok);
    CHECK(out.bytes() == tagged);
    CHECK(out.job.number == pn);

    MacsecSa receiver = sa_of(vector, Direction::ingress);
    receiver.lowest_pn = pn;
    const SaId receive = rig.add(receiver);
    Frame in(tagged);
    REQUIRE(rig.validate(receive, in) == Verdict::ok);
    CHECK(in.bytes() == clear);
    CHECK(in.job.number == pn);
    REQUIRE(rig.engine().remove(transmit).ok());
    REQUIRE(rig.engine().remove(receive).ok());
  }
}

TEST_CASE("a wrong octet anywhere in a vector's answer would be noticed", "[vector]") {
  const auto vectors = read_vectors(LINECRYPT_TEST_DATA "/vectors/macsec_802_1ae_annex_c.txt");
  Vector vector = vectors[6];
  const std::uint64_t pn = std::stoull(vector["pn"], nullptr, 16);
  Rig rig(fast);
  Frame out(from_hex(vector["clear"]));
  REQUIRE(rig.protect(rig.add(sa_of(vector, Direction::egress), pn + 1), out) == Verdict::ok);
  CHECK(out.bytes() != from_hex(vector["protected"]));
  MacsecSa receiver = sa_of(vector, Direction::ingress);
  receiver.ssci ^= 1;
  receiver.lowest_pn = pn;
  Frame in(from_hex(vector["protected"]));
  CHECK(rig.validate(rig.add(receiver), in) == Verdict::macsec_not_valid);
}
