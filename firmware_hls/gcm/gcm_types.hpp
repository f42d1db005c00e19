// What goes into and between the processes of AES-GCM (NIST SP 800-38D). Nothing here knows of ESP or MACsec.
#pragma once

#include <cstdint>

#include "firmware_hls/base/ap_uint.hpp"
#include "firmware_hls/base/beat.hpp"
#include "linecrypt/abi/key_entry.hpp"

namespace linecrypt {
namespace firmware {

constexpr unsigned lanes = 4;         // AES blocks of one beat
constexpr unsigned block_bytes = 16;  // of AES and of GHASH
constexpr unsigned aad_most = 32;     // bytes of associated data that travel in the command

// A key as the table holds it, expanded by the host.
struct GcmKey {
  ap_uint<128> round_key[abi::round_keys];
  ap_uint<128> power[abi::ghash_powers];  // of H, in the order of abi::KeyEntry
  std::uint8_t rounds;                    // 10 or 14
};

enum class GcmMode : std::uint8_t {
  encrypt = 0,       // text is enciphered; the tag is over what comes out
  decrypt = 1,       // text is deciphered; the tag is over what came in
  authenticate = 2,  // text passes unchanged and is associated data itself; aad must be empty
};

// One packet. Its text follows in the stream of beats, aligned at byte 0; a text of 0 bytes has no beat.
struct GcmCommand {
  GcmKey key;
  ap_uint<96> iv;
  ap_uint<128> aad[2];     // padded with zeros
  std::uint8_t aad_bytes;  // 0..aad_most
  std::uint16_t text_bytes;
  GcmMode mode;
};

// Words 0 to 7 of abi::KeyEntry as they came in commands, to what the processes use.
inline GcmKey key_from_words(const ap_uint<512> (&word)[abi::key_entry_words]) {
  LINECRYPT_INLINE
  GcmKey key;
  for (unsigned i = 0; i < abi::round_keys; ++i) {
    LINECRYPT_UNROLL
    key.round_key[i] = slice<128>(word[i / 4], 128 * (i % 4));
  }
  for (unsigned i = 0; i < abi::ghash_powers; ++i) {
    LINECRYPT_UNROLL
    const unsigned at = abi::round_keys + i;
    key.power[i] = slice<128>(word[at / 4], 128 * (at % 4));
  }
  key.rounds = byte_of(word[6], 60);
  return key;
}
inline ap_uint<96> salt_from_words(const ap_uint<512> (&word)[abi::key_entry_words]) {
  LINECRYPT_INLINE
  return slice<96>(word[6], 8 * 48);
}
static_assert(offsetof(abi::KeyEntry, salt) == 6 * 64 + 48, "the salt follows the last power");
static_assert(offsetof(abi::KeyEntry, rounds) == 6 * 64 + 60, "then the number of rounds");

// From the cipher to GHASH: once a packet, ...
struct GhashCommand {
  ap_uint<128> power[abi::ghash_powers];
  ap_uint<128> aad[2];
  std::uint8_t aad_bytes;
  std::uint16_t text_bytes;
  bool text_is_aad;
};

// ... and each cycle of it. There are text_bytes / 64 + 1 of them: the last has room for the block of lengths.
struct GhashBeat {
  ap_uint<512> data;  // what is hashed, zeros past its end
  ap_uint<128> mask;  // of the last: E(K, Y0), which hides the hash
};

}  // namespace firmware
}  // namespace linecrypt
