// What the host writes of one AES-GCM key (Table::key): all that the card would otherwise compute for each packet.
//
// A field element or round key is its 16 bytes in the order of FIPS 197 and SP 800-38D: byte 0 first. All of it is key
// material. The card never gives any of it back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/abi/rings.hpp"

namespace linecrypt {
namespace abi {

constexpr std::uint32_t key_block_bytes = 16;
constexpr std::uint32_t round_keys = 15;  // AES-256; AES-128 has 11, the others are zero

// The ring of GHASH accumulators: L, at least the pipeline depth of one multiplication.
constexpr std::uint32_t ghash_ring = 8;
// H^1 to H^5, then H^8, H^12, ... H^(4L).
constexpr std::uint32_t ghash_powers = 5 + ghash_ring - 1;

// The exponent of power[i].
constexpr std::uint32_t ghash_exponent(std::uint32_t i) {
  return i < 5 ? i + 1 : 4 * (i - 3);
}

constexpr std::uint32_t key_entry_words = 8;

struct KeyEntry {
  std::uint8_t round_key[round_keys][key_block_bytes];
  std::uint8_t power[ghash_powers][key_block_bytes];
  std::uint8_t salt[12];  // the IV without the number, see sa_record.hpp: ESP, MACsec and XPN differ
  std::uint8_t rounds;    // 10 or 14
  std::uint8_t reserved[67];
};
static_assert(sizeof(KeyEntry) == std::size_t{key_entry_words} * word_bytes, "8 words");
static_assert(offsetof(KeyEntry, power) == 240, "ABI");
static_assert(offsetof(KeyEntry, salt) == 432, "ABI");
static_assert(offsetof(KeyEntry, rounds) == 444, "ABI");
static_assert(ghash_exponent(4) == 5 && ghash_exponent(5) == 8, "H^5, then H^8");
static_assert(ghash_exponent(ghash_powers - 1) == 4 * ghash_ring, "ends with H^(4L)");

}  // namespace abi
}  // namespace linecrypt
