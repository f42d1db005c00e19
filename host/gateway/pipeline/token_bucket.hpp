// TokenBucket: a rate limit without a clock of its own; time is handed in once in a while.
#pragma once

#include <algorithm>
#include <cstdint>

namespace linecrypt::gateway {

class TokenBucket {
 public:
  TokenBucket(std::uint32_t per_second, std::uint32_t burst) noexcept
      : interval_ns_(1'000'000'000U / per_second), burst_(burst), tokens_(burst) {}

  void refill(std::uint64_t now_ns) noexcept {
    const std::uint64_t earned = (now_ns - last_ns_) / interval_ns_;
    if (earned == 0) return;
    tokens_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(burst_, tokens_ + earned));
    last_ns_ += earned * interval_ns_;
  }
  [[nodiscard]] bool take() noexcept {
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  std::uint64_t interval_ns_;
  std::uint64_t last_ns_ = 0;
  std::uint32_t burst_;
  std::uint32_t tokens_;
};

}  // namespace linecrypt::gateway
