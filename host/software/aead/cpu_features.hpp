// What this CPU and its kernel let a program use, of what AES-GCM can be made of.
#pragma once

namespace linecrypt::software {

struct CpuFeatures {
  bool aesni_avx = false;  // AES-NI, PCLMULQDQ and AVX
  bool vaes_256 = false;   // VAES, VPCLMULQDQ and AVX2
  bool avx_512 = false;    // AVX-512 F, BW and VL
};

// By CPUID and XGETBV: a kernel that does not save the registers has not got them.
CpuFeatures cpu_features() noexcept;

}  // namespace linecrypt::software
