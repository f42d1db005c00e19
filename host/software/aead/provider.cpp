#include "host/software/aead/provider.hpp"

#include "host/software/aead/ipsec_mb.hpp"
#include "host/software/aead/openssl.hpp"

namespace linecrypt::software {

Result<std::unique_ptr<AeadProvider>> make_provider(ProviderChoice choice) {
  if (choice == ProviderChoice::openssl) return make_openssl_provider();
  auto fast = make_ipsec_mb_provider();
  if (fast.ok() || choice == ProviderChoice::ipsec_mb) return fast;
  return make_openssl_provider();
}

}  // namespace linecrypt::software
