// MACsec behind its key: any bytes as a frame from the wire, and any bytes as a clear frame.
//
// Input: one byte of choices, then the frame.
//   bits 0-1 suite   bits 2-3 SCI encoding   bit 4 integrity only   bit 5 validate check (else strict)   bit 6 one VLAN
//   tag in clear bit 7  0: protected and validated again   1: from the wire
//
// What was protected must come back byte for byte; under strict nothing from the wire may be accepted without the key.
#include "linecrypt/wire/sectag.hpp"
#include "tests/fuzz/engine_rig.hpp"

namespace {

using namespace linecrypt;

constexpr std::uint8_t key[32] = {8, 9};
constexpr std::uint8_t salt[12] = {1};

MacsecSa make_sa(std::uint8_t choices, Direction direction) {
  MacsecSa sa;
  sa.secy.suite = static_cast<CipherSuite>(choices & 3U);
  sa.secy.sci_encoding = static_cast<SciEncoding>(choices >> 2U & 3U);
  sa.secy.encrypt = (choices & 16U) == 0;
  sa.secy.validate = (choices & 32U) != 0 ? ValidateFrames::check : ValidateFrames::strict;
  if ((choices & 64U) != 0) sa.secy.clear_tags = {ClearVlanTag{0x8100, 5}};
  sa.direction = direction;
  sa.sci = Sci{MacAddress{{2, 0, 0, 0, 0, 1}}, 1};
  if (sa.secy.sci_encoding == SciEncoding::scb) sa.sci.port = 0;
  sa.key = Secret<32>(std::span(key).first(key_size(sa.secy.suite)));
  if (is_xpn(sa.secy.suite)) {
    sa.salt = Secret<12>(salt);
    sa.ssci = 1;
  }
  return sa;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::EngineRig rig;
  if (size == 0) return 0;
  const std::uint8_t choices = *data++;
  --size;
  const SaId in = rig.add(make_sa(choices, Direction::ingress));
  if ((choices & 128U) != 0) {
    const Verdict verdict = rig.run(in, Operation::macsec_validate, data, size, 0, 14);
    if (verdict == Verdict::ok) fuzz::fail("a frame was accepted without the key");
    if (verdict == Verdict::unchecked && (choices & 32U) == 0) fuzz::fail("strict delivered an unchecked frame");
  } else {
    const SaId out = rig.add(make_sa(choices, Direction::egress), Lease{1, 100});
    const std::vector<std::uint8_t> clear(data, data + size);
    if (rig.run(out, Operation::macsec_protect, data, size, 64, 14) == Verdict::ok) {
      const std::vector<std::uint8_t> sealed(rig.frame().data, rig.frame().data + rig.frame().length);
      const Verdict verdict = rig.run(in, Operation::macsec_validate, sealed.data(), sealed.size(), 0, 14);
      const bool same =
          rig.frame().length == clear.size() && std::memcmp(rig.frame().data, clear.data(), clear.size()) == 0;
      if (verdict == Verdict::ok && !same) fuzz::fail("another frame came back");
      // With end station and SCB the SCI is made of the source address: only our own is this SA's.
      const bool own_source = clear.size() >= 12 && std::memcmp(clear.data() + 6, "\x02\0\0\0\0\x01", 6) == 0;
      const auto encoding = static_cast<SciEncoding>(choices >> 2U & 3U);
      const bool by_source = encoding == SciEncoding::end_station || encoding == SciEncoding::scb;
      if (verdict != Verdict::ok && (own_source || !by_source)) fuzz::fail("our own frame was refused");
    }
    rig.remove(out);
  }
  rig.remove(in);
  return 0;
}
