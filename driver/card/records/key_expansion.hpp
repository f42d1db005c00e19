// Expands an AES-GCM key into what the card loads: round keys and powers of H.
#pragma once

#include <cstdint>
#include <span>

#include "linecrypt/abi/key_entry.hpp"

namespace linecrypt::card {

// `key` has 16 or 32 bytes. Writes round keys, powers and the number of rounds of `entry`; its salt stays. Time and
// memory accesses do not depend on the key's bytes.
void expand_key(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept;

}  // namespace linecrypt::card
