// What the engine asks of the MACsec code for one SA's context.
#pragma once

#include <cstdint>

#include "host/software/sa_head.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::software::macsec {

// All on the control thread. `memory` is zeroed, of context_size_largest and context_alignment, and in a KeyArena: the
// context holds the salt. The result is the context, a ContextHead whose key the caller sets; it needs no destructor.
Result<void*> make_context(const MacsecSa& sa, void* memory);

// Control thread, at any time: the lowest acceptable PN becomes at least `lowest_pn` (802.1X 9.11), never less.
void raise_lowest_pn(void* context, std::uint64_t lowest_pn) noexcept;
// Before any worker sees the context: what it was where the SA comes from.
void restore_lowest_pn(void* context, std::uint64_t lowest_pn) noexcept;

}  // namespace linecrypt::software::macsec
