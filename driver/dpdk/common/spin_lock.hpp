// SpinLock: held for a burst, never for a packet. Made of std::atomic, so that ThreadSanitizer understands it.
#pragma once

#include <rte_pause.h>

#include <atomic>

namespace linecrypt::dpdk {

class SpinLock {
 public:
  void lock() noexcept {
    while (flag_.test_and_set(std::memory_order_acquire))
      while (flag_.test(std::memory_order_relaxed)) rte_pause();
  }
  [[nodiscard]] bool try_lock() noexcept {
    return !flag_.test(std::memory_order_relaxed) && !flag_.test_and_set(std::memory_order_acquire);
  }
  void unlock() noexcept { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag flag_;
};

}  // namespace linecrypt::dpdk
