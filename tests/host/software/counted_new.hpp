// This test program's operator new counts.
#pragma once

#include <atomic>
#include <cstdint>

namespace linecrypt::test {

// Allocations of this thread so far.
extern thread_local std::uint64_t allocations;
// Of all threads but those that say so: a thread that stands for hardware.
extern std::atomic<std::uint64_t> all_allocations;
extern thread_local bool stands_for_hardware;

}  // namespace linecrypt::test
