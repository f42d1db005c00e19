// BounceRing: buffers for packets in several segments, which no engine takes. They are given and come back in the order
// of the ops of one queue pair, so a ring of counters is enough: the thread that enqueues takes, the one that dequeues
// gives back.
#pragma once

#include <rte_malloc.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace linecrypt::dpdk {

class BounceRing {
 public:
  static constexpr std::uint32_t buffers = 32;  // a power of two
  static constexpr std::uint32_t headroom = 128;
  static constexpr std::uint32_t size = (64U << 10U) + 1024;  // with the headroom
  static constexpr std::uint32_t payload_most = size - headroom - 256;

  // False: no memory.
  bool allocate(int socket) noexcept {
    memory_.reset(
        static_cast<std::uint8_t*>(rte_zmalloc_socket("linecrypt bounce", std::size_t{buffers} * size, 64, socket)));
    return memory_ != nullptr;
  }

  // Enqueue. None: all are in use.
  [[nodiscard]] std::uint8_t* take() noexcept {
    const std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    if (taken - returned_.load(std::memory_order_acquire) == buffers) return nullptr;
    taken_.store(taken + 1, std::memory_order_relaxed);
    return memory_.get() + std::size_t{taken % buffers} * size;
  }
  // Enqueue: the last one taken was not needed.
  void untake() noexcept { taken_.store(taken_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed); }
  // Dequeue: the oldest one out.
  void give_back() noexcept {
    returned_.store(returned_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { rte_free(memory); }
  };
  std::unique_ptr<std::uint8_t, Free> memory_;
  std::atomic<std::uint32_t> taken_{0};
  std::atomic<std::uint32_t> returned_{0};
};

}  // namespace linecrypt::dpdk
