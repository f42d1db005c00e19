// How often this test program has called operator new.
#pragma once

#include <cstdint>

namespace linecrypt::gateway::test {

[[nodiscard]] std::uint64_t allocations() noexcept;

}  // namespace linecrypt::gateway::test
