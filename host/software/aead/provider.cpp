#include "host/software/aead/provider.hpp"

#include "host/software/aead/ipsec_mb.hpp"
#include "host/software/aead/openssl.hpp"
#include "host/software/aead/vaes.hpp"

namespace linecrypt::software {
namespace {

// With AVX-512 IPsec-MB uses VAES too. Ours is not measured against it there yet, so there it is only taken by name;
// true makes it automatic, and belongs beside a measurement.
constexpr bool ours_with_avx_512_is_no_slower = false;

}  // namespace

ProviderChoice automatic_choice(const CpuFeatures& cpu) noexcept {
  if (cpu.aesni_avx && (!cpu.avx_512 || ours_with_avx_512_is_no_slower)) return ProviderChoice::vaes;
  return ProviderChoice::ipsec_mb;
}

Result<std::unique_ptr<AeadProvider>> make_provider(ProviderChoice choice) {
  const bool automatic = choice == ProviderChoice::automatic;
  if (automatic) choice = automatic_choice(cpu_features());
  if (choice == ProviderChoice::openssl) return make_openssl_provider();
  if (choice == ProviderChoice::vaes) return make_vaes_provider();
  auto fast = make_ipsec_mb_provider();
  if (fast.ok() || !automatic) return fast;
  return make_openssl_provider();
}

}  // namespace linecrypt::software
