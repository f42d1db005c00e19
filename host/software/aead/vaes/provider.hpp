// The provider around a body.
#pragma once

#include <memory>

#include "host/software/aead/provider.hpp"
#include "host/software/aead/vaes/body.hpp"

namespace linecrypt::software::vaes {

// The caller knows that the CPU runs `body`. Tests bring bodies of their own.
std::unique_ptr<AeadProvider> make_provider_of(const Body& body);

}  // namespace linecrypt::software::vaes
