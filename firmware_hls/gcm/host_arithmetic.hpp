// The same two primitives by the CPU's own instructions (AES-NI, PCLMULQDQ), for the emulated card's speed. A test
// holds them to the kernel's. Compile with -maes -mpclmul.
#pragma once

#include <immintrin.h>

#include "firmware_hls/gcm/gcm_types.hpp"
#include "firmware_hls/gcm/gf128.hpp"

namespace linecrypt {
namespace firmware {

struct HostArithmetic {
  static void encrypt_lanes(ap_uint<128> (&block)[lanes], const GcmKey& key) {
    __m128i state[lanes];
    for (unsigned lane = 0; lane < lanes; ++lane)
      state[lane] = _mm_xor_si128(load(block[lane]), load(key.round_key[0]));
    for (unsigned round = 1; round < key.rounds; ++round) {
      const __m128i round_key = load(key.round_key[round]);
      for (unsigned lane = 0; lane < lanes; ++lane) state[lane] = _mm_aesenc_si128(state[lane], round_key);
    }
    const __m128i round_key = load(key.round_key[key.rounds < abi::round_keys ? key.rounds : abi::round_keys - 1]);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      state[lane] = _mm_aesenclast_si128(state[lane], round_key);
      set_word_of(block[lane], 0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(state[lane])));
      set_word_of(block[lane], 1,
                  static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(state[lane], state[lane]))));
    }
  }
  static Product64 carryless_product(std::uint64_t a, std::uint64_t b) {
    const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)),
                                                 _mm_cvtsi64_si128(static_cast<long long>(b)), 0);
    return {static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(product, product))),
            static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))};
  }

 private:
  static __m128i load(const ap_uint<128>& value) {
    return _mm_set_epi64x(static_cast<long long>(word_of(value, 1)), static_cast<long long>(word_of(value, 0)));
  }
};

}  // namespace firmware
}  // namespace linecrypt
