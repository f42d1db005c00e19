// HugeMemory: zeroed memory from the system for large tables, on huge pages where the system gives them.
//
// A lookup in a table of a million entries meets another page each time. With pages of 4 KiB each costs a walk through
// page tables that no cache holds; pages of 2 MiB come from the TLB, or from page tables that fit the cache.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "linecrypt/result.hpp"

namespace linecrypt {

class HugeMemory {
 public:
  static constexpr std::size_t huge_page = std::size_t{2} << 20U;

  // Whole pages, at least `size` bytes. From one huge page on the memory is aligned to them, rounded up to whole ones
  // and madvise(MADV_HUGEPAGE) asks for them; a kernel without gives small ones. An error when there is no memory.
  static Result<HugeMemory> map(std::size_t size);

  HugeMemory() = default;
  HugeMemory(HugeMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), huge_(other.huge_) {}
  HugeMemory& operator=(HugeMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(huge_, other.huge_);
    return *this;
  }
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;
  ~HugeMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Huge pages were asked for, and the kernel knows what they are.
  [[nodiscard]] bool huge() const noexcept { return huge_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool huge_ = false;
};

// A table of fixed size in such memory. Throws std::bad_alloc where there is none, as std::vector does.
template <typename T>
class HugeArray {
 public:
  HugeArray() = default;
  explicit HugeArray(std::size_t count) : count_(count) {
    auto mapped = HugeMemory::map(count * sizeof(T));
    if (!mapped) throw std::bad_alloc();
    memory_ = std::move(mapped).value();
    std::uninitialized_value_construct_n(begin(), count);
  }
  HugeArray(HugeArray&& other) noexcept : memory_(std::move(other.memory_)), count_(std::exchange(other.count_, 0)) {}
  HugeArray& operator=(HugeArray&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(count_, other.count_);
    return *this;
  }
  HugeArray(const HugeArray&) = delete;
  HugeArray& operator=(const HugeArray&) = delete;
  ~HugeArray() { std::destroy_n(begin(), count_); }

  [[nodiscard]] T* data() const noexcept { return begin(); }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] T& operator[](std::size_t i) const noexcept { return begin()[i]; }
  [[nodiscard]] bool huge() const noexcept { return memory_.huge(); }

 private:
  [[nodiscard]] T* begin() const noexcept { return reinterpret_cast<T*>(memory_.data()); }

  HugeMemory memory_;
  std::size_t count_ = 0;
};

}  // namespace linecrypt
