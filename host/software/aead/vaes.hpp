// AES-GCM of our own: VAES and VPCLMULQDQ on registers of 256 or 512 bits, else AES-NI on 128.
#pragma once

#include <cstdint>
#include <memory>

#include "host/software/aead/cpu_features.hpp"
#include "host/software/aead/provider.hpp"

namespace linecrypt::software {

// Which body: the widest that this CPU has the instructions for, or a named one. aesni_128 is the same source on single
// blocks: everything but the width is tested on any CPU.
enum class VaesLevel : std::uint8_t { best, aesni_128, vaes_256, vaes_512 };

// An error that names what the CPU lacks, or that the build is for another architecture. `cpu` is a parameter so that a
// test that emulates instructions can say so.
Result<std::unique_ptr<AeadProvider>> make_vaes_provider(VaesLevel level = VaesLevel::best,
                                                         const CpuFeatures& cpu = cpu_features());

}  // namespace linecrypt::software
