// Loss: the one flag of a session that says the card is gone, and why. Whoever sees it first says so; it never goes
// back.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace linecrypt::card {

class Loss {
 public:
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_acquire); }
  // Any thread. The first reason stays.
  void report(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (lost_.load(std::memory_order_relaxed)) return;
    reason_ = reason;
    lost_.store(true, std::memory_order_release);
  }
  [[nodiscard]] std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  std::atomic<bool> lost_{false};
  mutable std::mutex mutex_;
  std::string reason_;
};

}  // namespace linecrypt::card
