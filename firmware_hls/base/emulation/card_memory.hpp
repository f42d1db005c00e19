// Memory of the emulated card: keys in its streams and tables are in no core dump, and are cleansed when it goes.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <new>

namespace linecrypt {
namespace firmware {

// Zeroed pages of their own. Not mlock'ed: a card's tables are larger than what a process may lock.
inline void* card_allocate(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Where the kernel does not know the flag there is nothing to be done about it here.
  static_cast<void>(::madvise(memory, bytes, MADV_DONTDUMP));
  return memory;
}

inline void card_release(void* memory, std::size_t bytes) {
  std::memset(memory, 0, bytes);
  __asm__ __volatile__("" : : "r"(memory) : "memory");  // the zeros are not dead stores
  ::munmap(memory, bytes);
}

// For std::vector and std::allocate_shared.
template <class T>
struct CardAllocator {
  using value_type = T;

  CardAllocator() = default;
  template <class U>
  CardAllocator(const CardAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(std::size_t count) { return static_cast<T*>(card_allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) { card_release(memory, count * sizeof(T)); }

  friend bool operator==(const CardAllocator&, const CardAllocator&) { return true; }
  friend bool operator!=(const CardAllocator&, const CardAllocator&) { return false; }
};

}  // namespace firmware
}  // namespace linecrypt
