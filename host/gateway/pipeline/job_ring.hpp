// JobRing: jobs that wait for an engine to take them, first in, first out, bounded.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "linecrypt/packet.hpp"

namespace linecrypt::gateway {

class JobRing {
 public:
  static constexpr std::uint32_t capacity = 1024;  // a power of two

  [[nodiscard]] std::uint32_t size() const noexcept { return tail_ - head_; }
  [[nodiscard]] bool push(Job* job) noexcept {
    if (size() == capacity) return false;
    jobs_[tail_++ % capacity] = job;
    return true;
  }
  // The oldest jobs that lie together, at most `most`.
  [[nodiscard]] std::span<Job* const> front(std::uint32_t most) const noexcept {
    const std::uint32_t at = head_ % capacity;
    return {jobs_.data() + at, std::min({size(), capacity - at, most})};
  }
  void pop(std::uint32_t count) noexcept { head_ += count; }

 private:
  std::array<Job*, capacity> jobs_{};
  std::uint32_t head_ = 0;  // both count on without end; their difference is the size
  std::uint32_t tail_ = 0;
};

}  // namespace linecrypt::gateway
