// Memory that holds expanded keys: the arena, and OpenSSL's heap.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "host/software/aead/openssl_memory.hpp"
#include "tests/support/aead.hpp"
#include "tests/support/memory_flags.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

// Before main(), as programs do it first thing in main(): the whole test program runs on the protected heap.
const bool protected_first = software::protect_openssl_memory();

// False where mlock says yes and does nothing, as under AddressSanitizer.
bool mlock_works() {
  alignas(4096) static char page[4096];
  const bool works = ::mlock(page, sizeof page) != 0 || memory_flags(page).find(" lo ") != std::string::npos;
  ::munlock(page, sizeof page);
  return works;
}

bool undumped(const void* address) {
  return memory_flags(address).find(" dd ") != std::string::npos;
}

}  // namespace

TEST_CASE("The arena hands out zeroed, aligned blocks that do not overlap, and cleanses what comes back") {
  const auto size = GENERATE(std::size_t{1}, std::size_t{64}, std::size_t{1100});
  const auto alignment = GENERATE(std::size_t{8}, std::size_t{64}, std::size_t{4096});
  KeyArena arena(size, alignment, 5);
  std::set<std::uint8_t*> blocks;
  for (int i = 0; i < 300; ++i) {
    auto* block = static_cast<std::uint8_t*>(*arena.allocate());
    CHECK(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
    CHECK(std::all_of(block, block + size, [](auto byte) { return byte == 0; }));
    std::memset(block, 0xab, size);
    blocks.insert(block);
  }
  REQUIRE(blocks.size() == 300);
  std::uint8_t* before = nullptr;
  for (std::uint8_t* block : blocks) {
    if (before != nullptr) CHECK(before + size <= block);
    CHECK(std::all_of(block, block + size, [](auto byte) { return byte == 0xab; }));
    before = block;
  }
  // Its first bytes may link it to other free blocks; what it held is gone.
  for (std::uint8_t* block : blocks) {
    std::memset(block, 0xab, size);
    arena.release(block);
    if (size > sizeof(void*))
      CHECK(std::all_of(block + sizeof(void*), block + size, [](auto byte) { return byte == 0; }));
    CHECK(std::memcmp(block, "\xab\xab\xab\xab\xab\xab\xab", std::min<std::size_t>(size, 7)) != 0);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    auto* block = static_cast<std::uint8_t*>(*arena.allocate());
    CHECK(std::all_of(block, block + size, [](auto byte) { return byte == 0; }));
  }
}

TEST_CASE("Arena memory is in no core dump and in no forked child") {
  KeyArena arena(64, 64);
  void* block = *arena.allocate();
  CHECK(memory_flags(block).find(" dd ") != std::string::npos);
  CHECK(memory_flags(block).find(" dc ") != std::string::npos);
  if (mlock_works()) CHECK(arena.locked() == (memory_flags(block).find(" lo ") != std::string::npos));
  int on_the_stack = 0;
  CHECK_FALSE(undumped(&on_the_stack));
}

TEST_CASE("OpenSSL allocates from memory that is in no core dump") {
  REQUIRE(protected_first);
  void* small = OPENSSL_malloc(40);
  void* large = OPENSSL_malloc(1 << 20);
  // A second call finds its own heap in use, which is as good.
  CHECK(software::protect_openssl_memory());
  CHECK(undumped(small));
  CHECK(undumped(large));
  OPENSSL_free(small);
  OPENSSL_free(large);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  CHECK(undumped(context));
  EVP_CIPHER_CTX_free(context);
}

TEST_CASE("OpenSSL's heap cleanses what is freed or cut off") {
  auto* block = static_cast<std::uint8_t*>(OPENSSL_malloc(4000));
  std::memset(block, 0x77, 4000);
  auto* cut = static_cast<std::uint8_t*>(OPENSSL_realloc(block, 1000));
  REQUIRE(cut == block);
  CHECK(std::all_of(block, block + 1000, [](auto byte) { return byte == 0x77; }));
  CHECK(std::all_of(block + 1000, block + 4000, [](auto byte) { return byte == 0; }));
  OPENSSL_free(cut);
  CHECK(std::all_of(block, block + 4000, [](auto byte) { return byte == 0; }));
  CHECK(OPENSSL_malloc(0) == nullptr);
  OPENSSL_free(nullptr);
}

TEST_CASE("OpenSSL's heap keeps every block's bytes while threads allocate, grow, shrink and free") {
  const auto work = [](unsigned seed, bool& good) {
    struct Block {
      std::uint8_t* memory;
      std::size_t size;
      std::uint8_t fill;
    };
    std::mt19937 random(seed);
    std::vector<Block> blocks;
    const auto any_size = [&] { return std::size_t{1} + random() % (std::size_t{1} << (random() % 19)); };
    for (int step = 0; step < 10000; ++step) {
      if (blocks.size() < 60 || random() % 4 == 0) {
        const std::size_t size = any_size();
        auto* memory = static_cast<std::uint8_t*>(OPENSSL_malloc(size));
        good = good && memory != nullptr && reinterpret_cast<std::uintptr_t>(memory) % 16 == 0;
        blocks.push_back({memory, size, static_cast<std::uint8_t>(random())});
        std::memset(memory, blocks.back().fill, size);
      }
      Block& one = blocks[random() % blocks.size()];
      const auto holds = [&one](std::size_t size) {
        return std::all_of(one.memory, one.memory + size, [&](auto byte) { return byte == one.fill; });
      };
      good = good && holds(one.size);
      if (random() % 2 == 0) {
        const std::size_t size = any_size();
        one.memory = static_cast<std::uint8_t*>(OPENSSL_realloc(one.memory, size));
        good = good && one.memory != nullptr && holds(std::min(size, one.size));
        one.size = size;
        std::memset(one.memory, one.fill, size);
      } else {
        OPENSSL_free(one.memory);
        one = blocks.back();
        blocks.pop_back();
      }
    }
    for (const Block& block : blocks) OPENSSL_free(block.memory);
  };
  bool first = true;
  bool second = true;
  std::thread other(work, 1, std::ref(first));
  work(2, second);
  other.join();
  CHECK(first);
  CHECK(second);
}
