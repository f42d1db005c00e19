// SpscRing: items from one thread to one other, without a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace linecrypt::card {

template <typename Item>
class SpscRing {
 public:
  // `capacity` is a power of two.
  explicit SpscRing(std::uint32_t capacity) : mask_(capacity - 1), items_(std::make_unique<Item[]>(capacity)) {}

  // Producer. False: full.
  bool push(Item item) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) > mask_) return false;
    items_[tail & mask_] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  // Consumer. Null: empty.
  [[nodiscard]] const Item* front() const noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    return head == tail_.load(std::memory_order_acquire) ? nullptr : &items_[head & mask_];
  }
  void pop() noexcept { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  // Any thread; a moment old for all but the two.
  [[nodiscard]] bool empty() const noexcept {
    return head_.load(std::memory_order_seq_cst) == tail_.load(std::memory_order_seq_cst);
  }

 private:
  std::uint32_t mask_;
  std::unique_ptr<Item[]> items_;
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  alignas(64) std::atomic<std::uint32_t> head_{0};
};

}  // namespace linecrypt::card
