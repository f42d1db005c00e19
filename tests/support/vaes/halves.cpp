#include "host/software/aead/vaes/burst.hpp"
#include "host/software/aead/vaes/vector_256.hpp"
#include "tests/support/vaes/bodies.hpp"

namespace linecrypt::test {
namespace {

using namespace software::vaes;

struct Halves : Vector256 {
  static __m128i low(Type value) { return _mm256_castsi256_si128(value); }
  static __m128i high(Type value) { return _mm256_extracti128_si256(value, 1); }
  static Type round(Type value, Type key) noexcept {
    return pair(_mm_aesenc_si128(low(value), low(key)), _mm_aesenc_si128(high(value), high(key)));
  }
  static Type last_round(Type value, Type key) noexcept {
    return pair(_mm_aesenclast_si128(low(value), low(key)), _mm_aesenclast_si128(high(value), high(key)));
  }
  template <int H>
  static Type multiply(Type a, Type b) noexcept {
    return pair(_mm_clmulepi64_si128(low(a), low(b), H), _mm_clmulepi64_si128(high(a), high(b), H));
  }
};

}  // namespace

const Body body_of_halves = make_body<Halves>("256 bits of AES-NI");

}  // namespace linecrypt::test
