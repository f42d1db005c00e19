// MacsecReaders: when may the control side change or free what workers look at without a lock?
//
// A worker marks its turn in its queue's word before it looks and after it has done so: odd while it looks. Whoever has
// taken something out of sight waits until each word is even or another one: then nobody still looks at it.
#pragma once

#include <rte_pause.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace linecrypt::dpdk {

class MacsecReaders {
 public:
  explicit MacsecReaders(std::uint32_t queues) : queues_(queues), turns_(std::make_unique<Turn[]>(queues)) {}

  // The worker of `queue`. What is looked at afterwards is loaded with memory_order_seq_cst.
  void enter(std::uint32_t queue) noexcept {
    std::atomic<std::uint64_t>& turn = turns_[queue].word;
    turn.store(turn.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  }
  void leave(std::uint32_t queue) noexcept {
    std::atomic<std::uint64_t>& turn = turns_[queue].word;
    turn.store(turn.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Control, behind the store (memory_order_seq_cst) that took it out of sight.
  void wait() const noexcept {
    constexpr std::uint32_t patience = 1000;
    for (std::uint32_t i = 0; i < queues_; ++i) {
      const std::uint64_t seen = turns_[i].word.load(std::memory_order_seq_cst);
      if (seen % 2 == 0) continue;
      for (std::uint32_t n = 0; turns_[i].word.load(std::memory_order_acquire) == seen; ++n)
        if (n < patience)
          rte_pause();
        else
          ::sched_yield();  // the worker may wait for this very CPU
    }
  }

 private:
  struct alignas(64) Turn {
    std::atomic<std::uint64_t> word{0};
  };
  const std::uint32_t queues_;
  std::unique_ptr<Turn[]> turns_;
};

}  // namespace linecrypt::dpdk
