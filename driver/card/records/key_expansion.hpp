// Expands an AES-GCM key into what the card loads: round keys and powers of H.
#pragma once

#include <cstdint>
#include <span>

#include "linecrypt/abi/key_entry.hpp"

namespace linecrypt::card {

// `key` has 16 or 32 bytes. Writes round keys, powers and the number of rounds of `entry`; its salt stays. Time and
// memory accesses do not depend on the key's bytes.
void expand_key(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept;

// The same by AES-NI and PCLMULQDQ, about a microsecond, and without them, some hundred times as long.
[[nodiscard]] bool cpu_expands_keys() noexcept;
[[gnu::noinline]] void expand_key_by_cpu(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept;
[[gnu::noinline]] void expand_key_by_hand(std::span<const std::uint8_t> key, abi::KeyEntry& entry) noexcept;

}  // namespace linecrypt::card
