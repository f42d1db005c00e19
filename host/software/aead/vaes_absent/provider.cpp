// In place of vaes/ where the build is not for x86-64.
#include "host/software/aead/vaes.hpp"

namespace linecrypt::software {

CpuFeatures cpu_features() noexcept {
  return {};
}

Result<std::unique_ptr<AeadProvider>> make_vaes_provider(VaesLevel /*level*/, const CpuFeatures& /*cpu*/) {
  return Error{"vaes: this build is not for x86-64"};
}

}  // namespace linecrypt::software
