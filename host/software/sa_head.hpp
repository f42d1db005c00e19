// ContextHead: what the contexts of both protocols begin with, so that the engine finds an SA's key in either.
#pragma once

#include <cstddef>

namespace linecrypt::software {

struct ContextHead {
  const void* key = nullptr;  // the provider's key context; the SaStore owns it
};

// A context of either protocol takes no more, so that one arena serves both and memory per SA is known.
inline constexpr std::size_t context_size_largest = 128;
inline constexpr std::size_t context_alignment = 64;

}  // namespace linecrypt::software
