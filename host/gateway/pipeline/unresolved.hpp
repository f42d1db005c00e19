// UnresolvedQueue: next hops that the worker could not resolve, on their way to the control thread. One writer, one
// reader, no lock; when full, later ones wait for the next packet that needs them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "host/gateway/pipeline/pipeline.hpp"

namespace linecrypt::gateway {

class UnresolvedQueue {
 public:
  static constexpr std::uint32_t capacity = 64;

  // Worker. What is waiting already is not put in again.
  void put(const Pipeline::Unresolved& hop) noexcept {
    const std::uint32_t head = head_.load(std::memory_order_acquire);
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    for (std::uint32_t i = head; i != tail; ++i)
      if (hops_[i % capacity].port == hop.port && hops_[i % capacity].address == hop.address) return;
    if (tail - head == capacity) return;
    hops_[tail % capacity] = hop;
    tail_.store(tail + 1, std::memory_order_release);
  }

  // Control thread.
  [[nodiscard]] std::vector<Pipeline::Unresolved> take() {
    const std::uint32_t tail = tail_.load(std::memory_order_acquire);
    std::uint32_t head = head_.load(std::memory_order_relaxed);
    std::vector<Pipeline::Unresolved> taken;
    for (; head != tail; ++head) taken.push_back(hops_[head % capacity]);
    head_.store(head, std::memory_order_release);
    return taken;
  }

 private:
  std::array<Pipeline::Unresolved, capacity> hops_{};
  std::atomic<std::uint32_t> head_{0};
  std::atomic<std::uint32_t> tail_{0};
};

}  // namespace linecrypt::gateway
