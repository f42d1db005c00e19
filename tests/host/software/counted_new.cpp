#include "tests/host/software/counted_new.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

thread_local std::uint64_t linecrypt::test::allocations = 0;
std::atomic<std::uint64_t> linecrypt::test::all_allocations{0};
thread_local bool linecrypt::test::stands_for_hardware = false;

namespace {

void* counted(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  ++linecrypt::test::allocations;
  if (!linecrypt::test::stands_for_hardware) linecrypt::test::all_allocations.fetch_add(1, std::memory_order_relaxed);
  const std::size_t rounded = (size + alignment) / alignment * alignment;  // at least one byte
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
