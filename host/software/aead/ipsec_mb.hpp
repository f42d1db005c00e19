// The fast AEAD provider on x86: IPsec-MB's direct GCM functions.
#pragma once

#include <cstdint>
#include <memory>

#include "host/software/aead/provider.hpp"

namespace linecrypt::software {

// Which of the library's code paths: the best that this CPU has, or a named one so that tests cover each.
enum class IpsecMbLevel : std::uint8_t { best, sse, avx, avx2, avx512 };

// An error where the CPU lacks AES-NI, PCLMULQDQ or the level asked for.
Result<std::unique_ptr<AeadProvider>> make_ipsec_mb_provider(IpsecMbLevel level = IpsecMbLevel::best);

}  // namespace linecrypt::software
