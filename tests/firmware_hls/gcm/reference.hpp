// What tests of the card's AES-GCM compare with: OpenSSL's answer, and a key expanded step by step from the standards.
#pragma once

#include "linecrypt/abi/key_entry.hpp"
#include "tests/support/hex.hpp"

namespace linecrypt::test {

struct Sealed {
  Bytes text;
  Bytes tag;
};

// OpenSSL's AES-GCM. Key of 16 or 32 bytes, IV of 12.
Sealed seal(const Bytes& key, const Bytes& iv, const Bytes& aad, const Bytes& text);

// FIPS 197 5.2 and SP 800-38D 6.3, one bit at a time; shares nothing with the kernels.
abi::KeyEntry expand(const Bytes& key);

}  // namespace linecrypt::test
