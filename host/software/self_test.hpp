// Self-test: known answers through the same code that packets take. A provider that fails is not used (DESIGN 3.8).
#pragma once

#include <cstdint>
#include <memory>

#include "host/software/aead/provider.hpp"

namespace linecrypt::software {

// A fault planted into one known answer, so that a test shows that the self-test can fail.
enum class SelfTestFault : std::uint8_t {
  none,
  gcm_128_answer,
  gcm_192_answer,
  gcm_256_answer,
  gmac_answer,
  esp_answer,
  macsec_answer,
};

// The error names the first answer that was wrong, the provider, and never a key.
Result<void> run_self_test(const std::shared_ptr<AeadProvider>& provider, SelfTestFault fault = SelfTestFault::none);

}  // namespace linecrypt::software
