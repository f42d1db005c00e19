// The engine without a card. In a file of its own: test builds put a faulty engine in its place when they link.
#pragma once

#include <memory>

#include "host/software/aead/provider.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::dpdk {

// Closed; its self-test has passed.
Result<std::unique_ptr<Engine>> make_host_engine(software::ProviderChoice provider);

}  // namespace linecrypt::dpdk
