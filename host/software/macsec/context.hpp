// What the engine asks of the MACsec code for one SA's context.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/macsec.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::software::macsec {

// All on the control thread. `memory` is zeroed, 64-byte aligned and in a KeyArena (the context holds the salt). `key`
// is the provider's key context; the context does not own it.
std::size_t context_size();
Result<void> make_context(const MacsecSa& sa, void* memory);
void set_key(void* context, void* key) noexcept;
void destroy_context(void* memory) noexcept;

// Control thread, at any time: the lowest acceptable PN becomes at least `lowest_pn` (802.1X 9.11), never less.
void raise_lowest_pn(void* context, std::uint64_t lowest_pn) noexcept;
// Before any worker sees the context: what it was where the SA comes from.
void restore_lowest_pn(void* context, std::uint64_t lowest_pn) noexcept;

}  // namespace linecrypt::software::macsec
