// This test program's operator new counts.
#pragma once

#include <cstdint>

namespace linecrypt::test {

// Allocations of this thread so far.
extern thread_local std::uint64_t allocations;

}  // namespace linecrypt::test
