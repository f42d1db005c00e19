// AES-GCM alone: bursts of messages through one of our providers, IPsec-MB's direct functions or OpenSSL's EVP.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host/software/aead/vaes.hpp"
#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"

namespace linecrypt::bench {

enum class AeadWay : std::uint8_t { seal, open };

struct AeadSettings {
  AeadWay way = AeadWay::seal;
  std::uint32_t key_bits = 128;
  std::uint32_t text_size = 64;
  std::uint32_t aad_size = 12;  // 12: ESP with ESN; 28: MACsec with an explicit SCI
  std::uint32_t burst = 32;
  bool spoil_result = false;  // a planted fault, for the second check() to find
};

// In place; before each burst the messages are written anew, not timed. What is right comes from OpenSSL.
Result<std::unique_ptr<Side>> make_provider_side(std::unique_ptr<software::AeadProvider> provider,
                                                 const AeadSettings& settings);
// The direct functions with a precomputed key, of the best level this CPU has; opening compares the tag too.
Result<std::unique_ptr<Side>> make_ipsec_mb_side(const AeadSettings& settings);
// With the level: "IPsec-MB 1.3.0 (avx2)".
[[nodiscard]] std::string ipsec_mb_version();
// EVP with the key set once; each message sets its IV.
Result<std::unique_ptr<Side>> make_openssl_side(const AeadSettings& settings);
[[nodiscard]] std::string openssl_version();

}  // namespace linecrypt::bench
