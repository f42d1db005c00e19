// SpscRing: jobs from one thread to one other, without a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "linecrypt/packet.hpp"

namespace linecrypt::card {

class SpscRing {
 public:
  // `capacity` is a power of two.
  explicit SpscRing(std::uint32_t capacity) : mask_(capacity - 1), jobs_(std::make_unique<Job*[]>(capacity)) {}

  // Producer. False: full.
  bool push(Job* job) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) > mask_) return false;
    jobs_[tail & mask_] = job;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  // Consumer. Null: empty.
  [[nodiscard]] Job* front() const noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    return head == tail_.load(std::memory_order_acquire) ? nullptr : jobs_[head & mask_];
  }
  void pop() noexcept { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  // Any thread; a moment old for all but the two.
  [[nodiscard]] bool empty() const noexcept {
    return head_.load(std::memory_order_seq_cst) == tail_.load(std::memory_order_seq_cst);
  }

 private:
  std::uint32_t mask_;
  std::unique_ptr<Job*[]> jobs_;
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  alignas(64) std::atomic<std::uint32_t> head_{0};
};

}  // namespace linecrypt::card
