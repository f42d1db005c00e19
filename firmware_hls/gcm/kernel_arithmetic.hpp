// The two primitives that all time goes into, as the card computes them.
#pragma once

#include "firmware_hls/gcm/aes.hpp"
#include "firmware_hls/gcm/gcm_types.hpp"
#include "firmware_hls/gcm/gf128.hpp"

namespace linecrypt {
namespace firmware {

struct KernelArithmetic {
  static void encrypt_lanes(ap_uint<128> (&block)[lanes], const GcmKey& key) {
    LINECRYPT_INLINE
    for (unsigned lane = 0; lane < lanes; ++lane) {
      LINECRYPT_UNROLL
      block[lane] = aes_encrypt(block[lane], key.round_key, key.rounds);
    }
  }
  static Product64 carryless_product(std::uint64_t a, std::uint64_t b) {
    LINECRYPT_INLINE
    return firmware::carryless_product(a, b);
  }
};

}  // namespace firmware
}  // namespace linecrypt
