// VAESENC, VAESENCLAST and VPCLMULQDQ on 256 bits, carried out where they trap (SIGILL) by AES-NI and PCLMULQDQ on each
// half. The signal frame holds all registers: the handler reads the operands there and writes the result back.
//
// Not QEMU: 7.2 (Debian 12) has no VPCLMULQDQ on 256 bits, and its VAESENC works out the upper half from the lower one.
#include <cpuid.h>
#include <immintrin.h>
#include <ucontext.h>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tests/support/vaes/bodies.hpp"

namespace linecrypt::test {
namespace {

// The registers as the kernel lays them out (XSAVE, standard format).
class Registers {
 public:
  explicit Registers(ucontext_t& context)
      : general_(context.uc_mcontext.gregs), saved_(reinterpret_cast<std::uint8_t*>(context.uc_mcontext.fpregs)) {
    // Where the high halves are as after vzeroupper, the frame says so instead of holding them.
    std::uint64_t states = 0;
    std::memcpy(&states, saved_ + 512, sizeof states);
    if ((states & 4U) == 0) std::memset(saved_ + high_offset(), 0, 256);
    states |= 6U;
    std::memcpy(saved_ + 512, &states, sizeof states);
  }
  [[nodiscard]] const std::uint8_t* next() const { return reinterpret_cast<const std::uint8_t*>(general_[REG_RIP]); }
  void advance(std::size_t bytes) { general_[REG_RIP] += static_cast<greg_t>(bytes); }
  [[nodiscard]] std::uint64_t general(unsigned number) const {
    constexpr int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return static_cast<std::uint64_t>(general_[order[number]]);
  }
  [[nodiscard]] std::uint8_t* low(unsigned number) { return saved_ + 160 + 16 * number; }
  [[nodiscard]] std::uint8_t* high(unsigned number) { return saved_ + high_offset() + 16 * number; }

 private:
  static std::size_t high_offset() {
    static const std::size_t offset = [] {
      unsigned eax = 0;
      unsigned ebx = 0;
      unsigned ecx = 0;
      unsigned edx = 0;
      __get_cpuid_count(0xd, 2, &eax, &ebx, &ecx, &edx);
      return std::size_t{ebx};
    }();
    return offset;
  }

  greg_t* general_;
  std::uint8_t* saved_;
};

__m128i load(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// The address of a memory operand whose ModRM byte is at `at`; advances `at` behind the displacement. `trailing`: bytes
// of the instruction behind it, which count for addresses relative to the next instruction.
const std::uint8_t* operand(const Registers& registers, const std::uint8_t*& at, unsigned b, unsigned x,
                            std::size_t trailing) {
  const unsigned mode = *at >> 6;
  const unsigned rm = *at++ & 7U;
  std::uint64_t address = 0;
  const auto displacement = [&] {
    std::int32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return static_cast<std::uint64_t>(std::int64_t{value});
  };
  if (rm == 4) {
    const std::uint8_t sib = *at++;
    const unsigned index = (sib >> 3 & 7U) | x << 3;
    if (index != 4) address = registers.general(index) << (sib >> 6);
    if ((sib & 7U) == 5 && mode == 0)
      address += displacement();
    else
      address += registers.general((sib & 7U) | b << 3);
  } else if (rm == 5 && mode == 0) {
    address = displacement();
    address += reinterpret_cast<std::uint64_t>(at) + trailing;
  } else {
    address = registers.general(rm | b << 3);
  }
  if (mode == 1) address += static_cast<std::uint64_t>(std::int64_t{static_cast<std::int8_t>(*at++)});
  if (mode == 2) address += displacement();
  return reinterpret_cast<const std::uint8_t*>(address);
}

__m128i multiplied(__m128i a, __m128i b, std::uint8_t halves) {
  switch (halves & 0x11U) {
    case 0x00:
      return _mm_clmulepi64_si128(a, b, 0x00);
    case 0x01:
      return _mm_clmulepi64_si128(a, b, 0x01);
    case 0x10:
      return _mm_clmulepi64_si128(a, b, 0x10);
    default:
      return _mm_clmulepi64_si128(a, b, 0x11);
  }
}

// One instruction; false if it is none of the three on 256 bits.
bool step(Registers& registers) {
  const std::uint8_t* at = registers.next();
  // VEX of three bytes, 256 bits, prefix 66.
  if (at[0] != 0xc4 || (at[2] & 7U) != 5) return false;
  const unsigned map = at[1] & 0x1fU;
  const unsigned r = at[1] >> 7 & 1U ? 0 : 1;
  const unsigned x = at[1] >> 6 & 1U ? 0 : 1;
  const unsigned b = at[1] >> 5 & 1U ? 0 : 1;
  const unsigned first = ~at[2] >> 3 & 15U;
  const std::uint8_t opcode = at[3];
  const bool product = map == 3 && opcode == 0x44;
  if (!product && !(map == 2 && (opcode == 0xdc || opcode == 0xdd))) return false;
  at += 4;
  const unsigned to = (*at >> 3 & 7U) | r << 3;
  __m128i second[2];
  if (*at >> 6 == 3) {
    const unsigned from = (*at++ & 7U) | b << 3;
    second[0] = load(registers.low(from));
    second[1] = load(registers.high(from));
  } else {
    const std::uint8_t* from = operand(registers, at, b, x, product ? 1 : 0);
    second[0] = load(from);
    second[1] = load(from + 16);
  }
  const std::uint8_t halves = product ? *at++ : std::uint8_t{0};
  for (int half = 0; half < 2; ++half) {
    const __m128i a = load(half == 0 ? registers.low(first) : registers.high(first));
    const __m128i result = product          ? multiplied(a, second[half], halves)
                           : opcode == 0xdc ? _mm_aesenc_si128(a, second[half])
                                            : _mm_aesenclast_si128(a, second[half]);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(half == 0 ? registers.low(to) : registers.high(to)), result);
  }
  registers.advance(static_cast<std::size_t>(at - registers.next()));
  return true;
}

struct sigaction before;

// As many as stand in a row: a trap costs far more than an instruction. Any other instruction is what it was before.
void on_trap(int /*signal*/, siginfo_t* /*info*/, void* context) {
  Registers registers(*static_cast<ucontext_t*>(context));
  if (!step(registers)) {
    sigaction(SIGILL, &before, nullptr);
    return;
  }
  while (step(registers)) {
  }
}

// Around each burst, because Catch2 takes SIGILL for itself in each test.
template <typename Call>
void trapping(Call&& call) {
  struct sigaction ours = {};
  ours.sa_sigaction = on_trap;
  ours.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &ours, &before);
  call();
  sigaction(SIGILL, &before, nullptr);
}

using software::AeadOp;
using software::vaes::body_256;

void expand(const std::uint8_t* key, std::size_t size, software::vaes::KeyContext& context) noexcept {
  trapping([&] { body_256.expand(key, size, context); });
}

void seal(AeadOp* ops, std::size_t count) noexcept {
  trapping([&] { body_256.seal(ops, count); });
}

void open(AeadOp* ops, std::size_t count) noexcept {
  trapping([&] { body_256.open(ops, count); });
}

}  // namespace

const software::vaes::Body body_256_emulated = {"vaes 256, emulated", expand, seal, open};

}  // namespace linecrypt::test
