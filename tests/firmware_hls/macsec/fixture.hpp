// What the tests of the MACsec blocks share: SAs of every shape that the card takes, and frames.
#pragma once

#include <string>
#include <vector>

#include "linecrypt/wire/sectag.hpp"
#include "tests/firmware_hls/tables/bench.hpp"
#include "tests/support/ip_packets.hpp"
#include "tests/support/long_form.hpp"

namespace linecrypt::firmware_test {

struct MacsecShape {
  CipherSuite suite = CipherSuite::gcm_aes_xpn_256;
  SciEncoding encoding = SciEncoding::explicit_sci;
  bool encrypt = true;
  std::uint32_t tags = 0;
};

inline MacsecSa make_macsec(const MacsecShape& shape, Direction direction) {
  MacsecSa sa;
  sa.secy.suite = shape.suite;
  sa.secy.sci_encoding = shape.encoding;
  sa.secy.encrypt = shape.encrypt;
  if (shape.tags > 1) sa.secy.clear_tags.push_back({0x88a8, 7});
  if (shape.tags > 0) sa.secy.clear_tags.push_back({0x8100, 100});
  sa.direction = direction;
  sa.sci.address.bytes = {2, 0, 0, 0, 0, 1};
  sa.sci.port = shape.encoding == SciEncoding::scb ? 0 : 1;
  sa.an = 2;
  sa.key = Secret<32>(test::noise(key_size(shape.suite), 5));
  if (is_xpn(shape.suite)) {
    sa.salt = Secret<12>(test::noise(12, 6));
    sa.ssci = 0x7a30c118;
  }
  return sa;
}

inline std::string describe(const MacsecShape& shape) {
  static const char* suites[] = {"128", "256", "xpn-128", "xpn-256"};
  static const char* encodings[] = {"SCI", "ES", "implicit", "SCB"};
  return std::string(suites[static_cast<std::size_t>(shape.suite)]) + ", " +
         encodings[static_cast<std::size_t>(shape.encoding)] +
         (shape.encrypt ? ", encrypted, " : ", integrity only, ") + std::to_string(shape.tags) + " tags";
}

// Every combination.
inline std::vector<MacsecShape> macsec_shapes() {
  std::vector<MacsecShape> out;
  for (int suite = 0; suite < 4; ++suite)
    for (int encoding = 0; encoding < 4; ++encoding)
      for (const bool encrypt : {true, false})
        for (std::uint32_t tags = 0; tags < 3; ++tags)
          out.push_back({static_cast<CipherSuite>(suite), static_cast<SciEncoding>(encoding), encrypt, tags});
  return out;
}

// A frame of the SA's transmitter with `tags` VLAN tags in front and `size` bytes in all.
inline Bytes clear_frame(std::size_t size, std::uint32_t tags = 0, std::uint32_t seed = 3) {
  Bytes frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  if (tags > 1) frame.insert(frame.end(), {0x88, 0xa8, 0x60, 7});
  if (tags > 0) frame.insert(frame.end(), {0x81, 0x00, 0x20, 100});
  frame.insert(frame.end(), {0x08, 0x00});
  if (size > frame.size()) {
    const Bytes rest = test::noise(size - frame.size(), seed);
    frame.insert(frame.end(), rest.begin(), rest.end());
  }
  return frame;
}

struct MacsecOutPair : MacsecOut {
  MacsecOutPair() : MacsecOut(abi::Operation::macsec_protect, Operation::macsec_protect) {}
};
struct MacsecInPair : MacsecIn {
  MacsecInPair() : MacsecIn(abi::Operation::macsec_validate, Operation::macsec_validate) {}
};

}  // namespace linecrypt::firmware_test
