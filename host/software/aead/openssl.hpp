// The portable AEAD provider and the oracle of the others: OpenSSL 3's EVP interface.
#pragma once

#include <memory>

#include "host/software/aead/provider.hpp"

namespace linecrypt::software {

Result<std::unique_ptr<AeadProvider>> make_openssl_provider();

}  // namespace linecrypt::software
