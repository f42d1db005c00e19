// What the engine asks of the ESP code for one SA's context: the settings and header template that its packets need.
#pragma once

#include <cstddef>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::software::esp {

struct Context;

// All on the control thread. `memory` is zeroed, 64-byte aligned and in a KeyArena (the context holds the salt). `key`
// is the provider's key context; the context does not own it.
std::size_t context_size();
// Does not read sa.key: contexts are built again for a live SA whose peer moved (SetPeer).
Result<void> make_context(const EspSa& sa, void* memory);
void set_key(void* context, void* key) noexcept;
void destroy_context(void* memory) noexcept;

}  // namespace linecrypt::software::esp
