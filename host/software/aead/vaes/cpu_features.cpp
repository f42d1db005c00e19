#include "host/software/aead/cpu_features.hpp"

#include <cpuid.h>

#include <cstdint>

namespace linecrypt::software {
namespace {

constexpr bool bit(std::uint32_t word, unsigned number) {
  return (word >> number & 1U) != 0;
}

// The register states that the kernel saves (XCR0). As an instruction, because the intrinsic wants -mxsave, and a file
// that asks the CPU must run on every CPU.
std::uint32_t saved_states() noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

CpuFeatures cpu_features() noexcept {
  CpuFeatures features;
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
  // 1. AES-NI, PCLMULQDQ, SSSE3, SSE4.1, AVX, and a kernel that saves ymm registers.
  constexpr std::uint32_t ymm = 0x06;
  constexpr std::uint32_t zmm = 0xe6;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return features;
  if (!bit(ecx, 27)) return features;  // OSXSAVE: without it XGETBV is not there
  const std::uint32_t saved = saved_states();
  if ((saved & ymm) != ymm) return features;
  features.aesni_avx = bit(ecx, 25) && bit(ecx, 1) && bit(ecx, 9) && bit(ecx, 19) && bit(ecx, 28);
  // 2. AVX2, VAES, VPCLMULQDQ.
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return features;
  features.vaes_256 = features.aesni_avx && bit(ebx, 5) && bit(ecx, 9) && bit(ecx, 10);
  // 3. AVX-512 F, BW, VL, and a kernel that saves zmm and mask registers.
  features.avx_512 = (saved & zmm) == zmm && bit(ebx, 16) && bit(ebx, 30) && bit(ebx, 31);
  return features;
}

}  // namespace linecrypt::software
