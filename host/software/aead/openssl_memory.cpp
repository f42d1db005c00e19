#include "host/software/aead/openssl_memory.hpp"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>

#include "linecrypt/secret.hpp"

namespace linecrypt::software {
namespace {

// Stands before each block; 16 bytes keep what follows aligned as malloc does.
struct alignas(16) Header {
  std::size_t size;  // of the whole block, header included: a power of two, or pages of a mapping of its own
};

// Blocks of powers of two, cut from 1 MiB regions and kept on one list a size; larger ones are mappings of their own.
// Regions are never given back: OpenSSL frees until the very end of the process.
class Heap {
 public:
  void* allocate(std::size_t bytes) noexcept {
    if (bytes == 0 || bytes > largest_request) return nullptr;
    const std::size_t size = std::bit_ceil(std::max(bytes + sizeof(Header), smallest));
    Header* block = size > largest ? map((bytes + sizeof(Header) + page - 1) / page * page) : take(size);
    if (block == nullptr) return nullptr;
    if (size <= largest) block->size = size;
    return block + 1;
  }

  void release(void* memory) noexcept {
    if (memory == nullptr) return;
    Header* block = static_cast<Header*>(memory) - 1;
    const std::size_t size = block->size;
    cleanse(block, size);
    if (size > largest) {
      ::munmap(block, size);
      return;
    }
    const std::lock_guard lock(mutex_);
    auto* link = reinterpret_cast<Free*>(block);
    link->next = free_[index(size)];
    free_[index(size)] = link;
  }

  static std::size_t usable(void* memory) noexcept { return (static_cast<Header*>(memory) - 1)->size - sizeof(Header); }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t page = 4096;
  static constexpr std::size_t smallest = 32;
  static constexpr std::size_t largest = std::size_t{64} << 10U;
  static constexpr std::size_t region = std::size_t{1} << 20U;
  static constexpr std::size_t largest_request = std::size_t{1} << 40U;

  static std::size_t index(std::size_t size) noexcept { return static_cast<std::size_t>(std::countr_zero(size)); }

  static Header* map(std::size_t size) noexcept {
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    // Not dumped or not at all; locked as far as RLIMIT_MEMLOCK goes.
    if (::madvise(memory, size, MADV_DONTDUMP) != 0) {
      ::munmap(memory, size);
      return nullptr;
    }
    static_cast<void>(::mlock(memory, size));
    auto* block = static_cast<Header*>(memory);
    block->size = size;
    return block;
  }

  Header* take(std::size_t size) noexcept {
    const std::lock_guard lock(mutex_);
    Free*& list = free_[index(size)];
    if (list != nullptr) {
      Free* block = list;
      list = block->next;
      block->next = nullptr;
      return reinterpret_cast<Header*>(block);
    }
    // Regions and sizes are powers of two, so what is left always ends at a whole block; the rest of a region too small
    // for this size stays unused.
    if (left_ < size) {
      Header* fresh = map(region);
      if (fresh == nullptr) return nullptr;
      next_ = reinterpret_cast<std::uint8_t*>(fresh);
      left_ = region;
    }
    auto* block = reinterpret_cast<Header*>(next_);
    next_ += size;
    left_ -= size;
    return block;
  }

  std::mutex mutex_;
  std::array<Free*, 17> free_{};
  std::uint8_t* next_ = nullptr;
  std::size_t left_ = 0;
};

// Never destroyed: OpenSSL's own clean-up runs after our static objects are gone.
Heap& heap() {
  alignas(Heap) static std::byte storage[sizeof(Heap)];
  static Heap* const instance = new (storage) Heap;
  return *instance;
}

void* allocate(std::size_t size, const char*, int) {
  return heap().allocate(size);
}

void release(void* memory, const char*, int) {
  heap().release(memory);
}

void* reallocate(void* memory, std::size_t size, const char*, int) {
  if (memory == nullptr) return heap().allocate(size);
  if (size == 0) {
    heap().release(memory);
    return nullptr;
  }
  const std::size_t usable = Heap::usable(memory);
  if (size <= usable) {
    // What was cut off may be key material.
    cleanse(static_cast<std::uint8_t*>(memory) + size, usable - size);
    return memory;
  }
  void* larger = heap().allocate(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, usable);
  heap().release(memory);
  return larger;
}

}  // namespace

bool protect_openssl_memory() {
  return CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

}  // namespace linecrypt::software
