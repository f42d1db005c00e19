// Bell: one thread sleeps until another has work for it. No ring is lost: whoever leaves work and rings, and whoever
// lies down and looks for work once more, meet in one word, so one of the two sees the other.
#pragma once

#include <atomic>
#include <cstdint>

namespace linecrypt::card {

class Bell {
 public:
  // The sleeper. Returns at once where `work_waits()`; else when somebody rings.
  //
  // 1. From here on a ring is heard.
  // 2. Say so. The exchange and ring_if_asleep()'s own write come one behind the other: either that one finds the
  //    sleeper, or this one has read what it wrote, and with it all that was left before it.
  // 3. Look once more.
  template <typename WorkWaits>
  void sleep(WorkWaits&& work_waits) noexcept {
    // 1.
    const std::uint32_t rings = rings_.load(std::memory_order_acquire);
    // 2.
    (void)asleep_.exchange(1, std::memory_order_seq_cst);
    // 3.
    if (!work_waits()) rings_.wait(rings, std::memory_order_acquire);
    asleep_.store(0, std::memory_order_seq_cst);
  }

  // Behind leaving work. A plain load would not do: the processor may read it before the work is seen by others.
  void ring_if_asleep() noexcept {
    if (asleep_.fetch_add(0, std::memory_order_seq_cst) != 0) ring();
  }
  void ring() noexcept {
    rings_.fetch_add(1, std::memory_order_seq_cst);
    rings_.notify_all();
  }
  [[nodiscard]] bool asleep() const noexcept { return asleep_.load(std::memory_order_seq_cst) != 0; }

 private:
  alignas(64) std::atomic<std::uint32_t> asleep_{0};
  std::atomic<std::uint32_t> rings_{0};
};

}  // namespace linecrypt::card
