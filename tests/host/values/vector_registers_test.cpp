#include "host/values/vector_registers.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>

using namespace linecrypt;

namespace {

template <std::size_t Bytes>
using Register = std::array<std::uint8_t, Bytes>;

template <std::size_t Bytes>
Register<Bytes> secret() {
  Register<Bytes> bytes{};
  bytes.fill(0xa5);
  return bytes;
}

// What each of these leaves of the secret: the compiler knows of no use of the register between the two instructions,
// and what it puts there itself keeps off it.
[[gnu::noinline]] Register<16> behind(void (*between)()) {
  const Register<16> before = secret<16>();
  Register<16> after{};
  asm volatile("movdqu %0, %%xmm9" : : "m"(before) : "xmm9");
  between();
  asm volatile("movdqu %%xmm9, %0" : "=m"(after));
  return after;
}
[[gnu::target("avx"), gnu::noinline]] Register<32> behind_in_ymm(void (*between)()) {
  const Register<32> before = secret<32>();
  Register<32> after{};
  asm volatile("vmovdqu %0, %%ymm11" : : "m"(before) : "xmm11");
  between();
  asm volatile("vmovdqu %%ymm11, %0" : "=m"(after));
  return after;
}
[[gnu::target("avx512f"), gnu::noinline]] Register<64> behind_in_zmm(void (*between)()) {
  const Register<64> before = secret<64>();
  Register<64> after{};
  asm volatile("vmovdqu64 %0, %%zmm23" : : "m"(before) : "xmm23");
  between();
  asm volatile("vmovdqu64 %%zmm23, %0" : "=m"(after));
  return after;
}

void nothing() {}
void leave_a_scope() {
  const ClearsVectorRegisters at_the_end;
}

}  // namespace

TEST_CASE("Vector registers hold what was last in them until they are cleared") {
  CHECK(behind(nothing) == secret<16>());
  CHECK(behind(clear_vector_registers) == Register<16>{});
  CHECK(behind(leave_a_scope) == Register<16>{});
  CHECK(behind(detail::clear_sse_registers) == Register<16>{});
}

TEST_CASE("Wide vector registers are cleared to their ends, where the CPU has them") {
  if (__builtin_cpu_supports("avx") != 0) {
    CHECK(behind_in_ymm(nothing) == secret<32>());
    CHECK(behind_in_ymm(clear_vector_registers) == Register<32>{});
  }
  if (__builtin_cpu_supports("avx512f") != 0) {
    CHECK(behind_in_zmm(nothing) == secret<64>());
    CHECK(behind_in_zmm(clear_vector_registers) == Register<64>{});
  }
}
