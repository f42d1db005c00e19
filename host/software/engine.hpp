// The software engine: AES-GCM ESP and MACsec on the CPU.
#pragma once

#include <memory>

#include "host/software/aead/provider.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::software {

struct SoftwareOptions {
  ProviderChoice provider = ProviderChoice::automatic;
};

// Engine over `options.provider`, closed. Fails when the provider cannot run here or its self-test gives a wrong
// answer.
Result<std::unique_ptr<Engine>> make_software_engine(const SoftwareOptions& options = {});

}  // namespace linecrypt::software
