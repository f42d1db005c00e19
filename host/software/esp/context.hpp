// What the engine asks of the ESP code for one SA's context: the settings and header template that its packets need.
#pragma once

#include <cstdint>

#include "host/software/sa_head.hpp"
#include "linecrypt/engine.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::software::esp {

// All on the control thread. `memory` is zeroed, of context_size_largest and context_alignment, and in a KeyArena: the
// context holds the salt. What they return is the context, a ContextHead whose key the caller sets; nothing of it needs
// a destructor but what destroy_context() ends.
Result<void*> make_context(const EspSa& sa, void* memory);
// The context of a live SA whose peer moved (NAT-T), beside `live`, which workers still use. It takes over key and
// selectors: of the two contexts one is destroyed, the other's memory is given back as it is.
Result<void*> move_context(void* live, Direction direction, const SetPeer& peer, void* memory);
// The SA's limits, within the context.
[[nodiscard]] const SaLimits* limits_of(void* context, Direction direction) noexcept;
void destroy_context(void* context, Direction direction) noexcept;

// Resynchronisation of the high half of extended numbers (RFC 4303 A3), on by default for ingress SAs with ESN: the
// peer may have sent more than 2^32 packets that never arrived here, for instance while this side restarted. See
// resync.hpp. Switching it off is for the control thread before the SA is published.
struct ResyncCounts {
  std::uint64_t tried = 0;      // packets opened with a high half ahead of the inferred one
  std::uint64_t succeeded = 0;  // those that were authentic and moved the window
};
void set_resynchronise(void* context, bool on) noexcept;
[[nodiscard]] ResyncCounts resynchronisations(void* context) noexcept;

}  // namespace linecrypt::software::esp
