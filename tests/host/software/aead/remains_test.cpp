// After a burst and after an expansion neither registers nor the stack hold round keys, powers of H or key stream. The
// provider runs on a thread whose stack is ours to search.
#include <pthread.h>
#include <sys/mman.h>
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/support/aead.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::size_t stack_size = std::size_t{256} << 10;

struct Work {
  software::AeadProvider* provider;
  std::uint8_t* context;
  std::uint8_t* text;
  std::size_t text_size;
  bool plant;
  std::uint8_t tag[40][16];
  // What the sixteen ymm registers hold on return.
  alignas(32) std::uint8_t registers[16 * 32];
};

[[gnu::noinline]] void leave_on_stack(const std::uint8_t* bytes) {
  std::uint8_t copy[64];
  std::memcpy(copy, bytes, sizeof copy);
  asm volatile("" : : "r"(copy) : "memory");
}

void* run(void* argument) {
  Work& work = *static_cast<Work*>(argument);
  software::AeadOp ops[40];
  for (std::size_t i = 0; i < 40; ++i) {
    ops[i].key = work.context;
    ops[i].iv[0] = static_cast<std::uint8_t>(i);
    ops[i].aad_head = work.text;
    ops[i].aad_head_length = 12;
    ops[i].in = ops[i].out = work.text + i * work.text_size;
    ops[i].length = static_cast<std::uint32_t>(work.text_size);
    ops[i].tag = work.tag[i];
  }
  static const std::uint8_t key[32] = {3, 1, 4, 1, 5, 9, 2, 6};
  (void)work.provider->expand(key, work.context);
  work.provider->seal(ops);
  asm volatile(
      "vmovdqu %%ymm0, (%0)\n\tvmovdqu %%ymm1, 32(%0)\n\tvmovdqu %%ymm2, 64(%0)\n\tvmovdqu %%ymm3, 96(%0)\n\t"
      "vmovdqu %%ymm4, 128(%0)\n\tvmovdqu %%ymm5, 160(%0)\n\tvmovdqu %%ymm6, 192(%0)\n\tvmovdqu %%ymm7, 224(%0)\n\t"
      "vmovdqu %%ymm8, 256(%0)\n\tvmovdqu %%ymm9, 288(%0)\n\tvmovdqu %%ymm10, 320(%0)\n\tvmovdqu %%ymm11, 352(%0)\n\t"
      "vmovdqu %%ymm12, 384(%0)\n\tvmovdqu %%ymm13, 416(%0)\n\tvmovdqu %%ymm14, 448(%0)\n\tvmovdqu %%ymm15, 480(%0)"
      :
      : "r"(work.registers)
      : "memory");
  work.provider->open(ops);
  if (work.plant) leave_on_stack(work.context + sizeof(software::vaes::KeyContext::hash) - 64);
  return nullptr;
}

// Eight bytes in a row of the context, or of the key stream of a message, anywhere in `memory`.
std::size_t found(const Bytes& secrets, const std::uint8_t* memory, std::size_t size) {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 8 <= secrets.size(); i += 8) {
    if (std::all_of(&secrets[i], &secrets[i] + 8, [&](auto byte) { return byte == secrets[i]; })) continue;
    const std::uint8_t* at = memory;
    while ((at = static_cast<const std::uint8_t*>(
                memmem(at, size - static_cast<std::size_t>(at - memory), &secrets[i], 8))) != nullptr) {
      ++count;
      ++at;
    }
  }
  return count;
}

std::size_t remains(software::AeadProvider& provider, std::size_t text_size, bool plant, bool in_registers) {
  KeyArena arena(provider.context_size(), provider.context_alignment(), 1);
  auto* stack =
      static_cast<std::uint8_t*>(mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Bytes text(40 * text_size);
  static Work work;
  work = {&provider, static_cast<std::uint8_t*>(*arena.allocate()), text.data(), text_size, plant, {}, {}};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, stack_size);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, run, &work) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  // The text was zeros and is open again; sealed once more it is the key stream.
  Bytes secrets(work.context, work.context + offsetof(software::vaes::KeyContext, rounds));
  software::AeadOp op;
  op.key = work.context;
  op.in = op.out = text.data();
  op.length = static_cast<std::uint32_t>(text_size);
  op.tag = work.tag[0];
  provider.seal({&op, 1});
  secrets.insert(secrets.end(), text.begin(), text.begin() + static_cast<long>(text_size));
  const std::size_t count =
      in_registers ? found(secrets, work.registers, sizeof work.registers) : found(secrets, stack, stack_size);
  provider.destroy(work.context);
  munmap(stack, stack_size);
  return count;
}

}  // namespace

TEST_CASE("After a burst nothing of a key is left on the stack or in vector registers") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  WARN("skipped: sanitizers move stacks");
#else
  std::size_t ran = 0;
  for (const auto& provider : all_providers()) {
    // As shipped; emulation keeps registers in signal frames on the stack.
    const auto name = provider->name();
    if (name != "vaes (aesni 128)" && name != "vaes (vaes 256)" && name != "vaes (vaes 512)") continue;
    ++ran;
    for (const std::size_t size : {64U, 140U, 700U}) {
      INFO(name << ", " << size << " bytes");
      CHECK(remains(*provider, size, false, false) == 0);
      CHECK(remains(*provider, size, false, true) == 0);
      CHECK(remains(*provider, size, true, false) >= 8);
    }
  }
  if (ran == 0) WARN("skipped: no body runs here as it is shipped");
#endif
}
