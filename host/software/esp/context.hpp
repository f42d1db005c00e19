// What the engine asks of the ESP code for one SA's context: the settings and header template that its packets need.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::software::esp {

// All on the control thread. `memory` is zeroed, 64-byte aligned and in a KeyArena (the context holds the salt). `key`
// is the provider's key context; the context does not own it.
std::size_t context_size();
// Does not read sa.key: contexts are built again for a live SA whose peer moved (SetPeer).
Result<void> make_context(const EspSa& sa, void* memory);
void set_key(void* context, void* key) noexcept;
void destroy_context(void* memory) noexcept;

// Resynchronisation of the high half of extended numbers (RFC 4303 A3), on by default for ingress SAs with ESN: the
// peer may have sent more than 2^32 packets that never arrived here, for instance while this side restarted. See
// resync.hpp. Switching it off is for the control thread before the SA is published.
struct ResyncCounts {
  std::uint64_t tried = 0;      // packets opened with a high half ahead of the inferred one
  std::uint64_t succeeded = 0;  // those that were authentic and moved the window
};
void set_resynchronise(void* context, bool on) noexcept;
[[nodiscard]] ResyncCounts resynchronisations(const void* context) noexcept;

}  // namespace linecrypt::software::esp
