// The host's instructions against the kernels' text. This program runs the tests of the folder above as well, on them.
#include "firmware_hls/gcm/host_arithmetic.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "firmware_hls/gcm/arithmetic.hpp"
#include "firmware_hls/gcm/kernel_arithmetic.hpp"

namespace linecrypt::firmware {
namespace {

ap_uint<128> random_block(std::mt19937_64& random) {
  ap_uint<128> block(0);
  set_word_of(block, 0, random());
  set_word_of(block, 1, random());
  return block;
}

}  // namespace

static_assert(std::is_same_v<Arithmetic, HostArithmetic>, "this program is about the host's arithmetic");

TEST_CASE("AES-NI enciphers as the kernel does, with keys of both lengths") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    GcmKey key{};
    for (auto& round_key : key.round_key) round_key = random_block(random);
    key.rounds = round % 2 == 0 ? 10 : 14;
    ap_uint<128> kernel[lanes];
    ap_uint<128> host[lanes];
    for (unsigned lane = 0; lane < lanes; ++lane) kernel[lane] = host[lane] = random_block(random);
    KernelArithmetic::encrypt_lanes(kernel, key);
    HostArithmetic::encrypt_lanes(host, key);
    for (unsigned lane = 0; lane < lanes; ++lane) REQUIRE(host[lane] == kernel[lane]);
  }
}

TEST_CASE("PCLMULQDQ multiplies as the kernel does, single bits and any") {
  for (unsigned a = 0; a < 64; ++a) {
    for (unsigned b = 0; b < 64; ++b) {
      const auto kernel = KernelArithmetic::carryless_product(std::uint64_t{1} << a, std::uint64_t{1} << b);
      const auto host = HostArithmetic::carryless_product(std::uint64_t{1} << a, std::uint64_t{1} << b);
      REQUIRE(host.low == kernel.low);
      REQUIRE(host.high == kernel.high);
    }
  }
  std::mt19937_64 random(2);
  for (int round = 0; round < 2000; ++round) {
    const auto x = random_block(random);
    const auto y = random_block(random);
    REQUIRE(gf128_mul<HostArithmetic>(x, y) == gf128_mul<KernelArithmetic>(x, y));
  }
}

}  // namespace linecrypt::firmware
