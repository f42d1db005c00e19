// Run under valgrind (memcheck): key, text and tag are marked undefined, so that memcheck reports each branch and each
// address that depends on one of them. A planted branch and a planted table look-up must be reported, or nothing that
// is silent means anything.
//
// The 128-bit body: memcheck does not know VAES on 256 bits. The source is the same; the disassembly of the wider ones
// is checked apart (disassembly_check.py).
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "host/software/aead/vaes/body.hpp"
#include "linecrypt/secret.hpp"

using namespace linecrypt;
using software::AeadOp;
using software::vaes::body_128;
using software::vaes::KeyContext;

namespace {

volatile unsigned sink = 0;

void hide(void* memory, std::size_t size) {
  (void)VALGRIND_MAKE_MEM_UNDEFINED(memory, size);
}
void reveal(const void* memory, std::size_t size) {
  (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
}

// How many new errors memcheck reports for `call`.
template <typename Call>
unsigned errors_of(Call&& call) {
  const auto before = static_cast<unsigned>(VALGRIND_COUNT_ERRORS);
  call();
  return static_cast<unsigned>(VALGRIND_COUNT_ERRORS) - before;
}

[[gnu::noinline]] void branch(const std::uint8_t* secret) {
  if (*secret == 7) sink = sink + 1;
}

[[gnu::noinline]] void look_up(const std::uint8_t* secret) {
  static const volatile unsigned table[256] = {1, 2, 3};
  sink = table[*secret];
}

// The compare of a careless programmer.
[[gnu::noinline]] bool equal_in_haste(const std::uint8_t* a, const std::uint8_t* b) {
  for (int i = 0; i < 16; ++i)
    if (a[i] != b[i]) return false;
  return true;
}

// Seals and opens a burst of messages of each size around `size`, key and text secret throughout.
void seal_and_open(std::size_t key_size, std::size_t size, std::size_t aad_head, std::size_t aad_tail) {
  constexpr std::size_t burst = 5;
  std::uint8_t key[32] = {1, 2, 3, 4};
  alignas(64) KeyContext context{};
  std::vector<std::uint8_t> text(burst * (size + 1));
  std::uint8_t aad[256] = {};
  std::uint8_t tags[burst][16] = {};
  AeadOp ops[burst];
  hide(key, sizeof key);
  hide(text.data(), text.size());
  body_128.expand(key, key_size, context);
  for (std::size_t i = 0; i < burst; ++i) {
    ops[i].key = &context;
    ops[i].iv[0] = static_cast<std::uint8_t>(i);
    ops[i].aad_head = aad;
    ops[i].aad_head_length = static_cast<std::uint32_t>(aad_head);
    ops[i].aad_tail = aad;
    ops[i].aad_tail_length = static_cast<std::uint32_t>(aad_tail);
    ops[i].in = ops[i].out = text.data() + i * (size + 1);
    ops[i].length = static_cast<std::uint32_t>(size);
    ops[i].tag = tags[i];
  }
  body_128.seal(ops, burst);
  body_128.open(ops, burst);
  // The verdict is what everybody may know, and only now.
  for (const AeadOp& op : ops) {
    reveal(&op.good, sizeof op.good);
    if (!op.good) sink = sink + 1000000;
  }
}

}  // namespace

int main() {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("skipped: run me under valgrind");
    return 77;
  }
  std::uint8_t secret[32] = {7};
  std::uint8_t other[32] = {7};
  hide(secret, sizeof secret);
  // 1. What must be found.
  if (errors_of([&] { branch(secret); }) == 0) return std::puts("a branch on a secret was not reported"), 1;
  if (errors_of([&] { look_up(secret); }) == 0) return std::puts("a secret index was not reported"), 1;
  if (errors_of([&] { sink = equal_in_haste(secret, other) ? 1 : 0; }) == 0)
    return std::puts("a compare that stops early was not reported"), 1;
  // 2. What must not.
  unsigned errors = errors_of([&] {
    bool equal = equal_constant_time(secret, other, sizeof secret);
    reveal(&equal, sizeof equal);
    sink = equal ? 1 : 0;
    Secret<32> kept(secret);
    cleanse(&kept, 0);
  });
  if (errors != 0) return std::printf("equal_constant_time or Secret: %u errors\n", errors), 1;
  unsigned calls = 0;
  for (const std::size_t key_size : {16U, 24U, 32U}) {
    for (std::size_t size = 0; size <= 600; size += size < 70 ? 1 : 37) {
      for (const std::size_t aad : {8U, 12U, 20U, 60U}) {
        errors = errors_of([&] { seal_and_open(key_size, size, aad, size % 5 == 0 ? 30 : 0); });
        if (errors != 0)
          return std::printf("key of %zu bytes, %zu bytes of text, %zu of associated data: %u errors\n", key_size, size,
                             aad, errors),
                 1;
        ++calls;
      }
    }
    errors = errors_of([&] { seal_and_open(key_size, 0, 12, 200); });
    if (errors != 0) return std::printf("GMAC: %u errors\n", errors), 1;
  }
  if (sink >= 1000000) return std::puts("a message was not opened"), 1;
  std::printf("no branch and no address depends on key, text or tag: %u bursts of 5; 3 planted faults were found\n",
              calls);
  return 0;
}
