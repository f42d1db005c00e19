// NIST CAVP response files (.rsp) for AES-GCM.
#pragma once

#include <string>
#include <vector>

#include "tests/support/hex.hpp"

namespace linecrypt::test {

struct GcmVector {
  std::string where;  // "gcmDecrypt128.rsp:42"
  Bytes key;
  Bytes iv;
  Bytes aad;
  Bytes clear;
  Bytes sealed;
  Bytes tag;
  bool must_fail = false;  // a decrypt vector whose tag is wrong; it has no clear text
};

// Vectors of `path` with a 96-bit IV and a 128-bit tag, the only forms that ESP and MACsec use. Throws when the file
// cannot be read or has a line that is not understood.
std::vector<GcmVector> read_gcm_vectors(const std::string& path);

}  // namespace linecrypt::test
