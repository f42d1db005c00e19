// Anti-replay window over full 64-bit numbers (RFC 4303 3.4.3, RFC 6479's ring of words).
//
// Bits live in a ring of 64-bit words, one word more than the window needs, so that advancing clears whole words and a
// window of W accepts numbers above top - W. Not thread safe: the worker that owns the SA checks and accepts; others
// may read `top()`.
#pragma once

#include <atomic>
#include <cstdint>

namespace linecrypt {

enum class ReplayCheck : std::uint8_t { fresh, late, duplicate };

class ReplayWindow {
 public:
  // `words` points at words_for(size) zeroed words that outlive the window; size is a power of two 64..4096, or 0: no
  // check.
  static constexpr std::uint32_t words_for(std::uint32_t size) noexcept { return size == 0 ? 0 : ring_words(size); }

  ReplayWindow() = default;
  void attach(std::uint64_t* words, std::uint32_t size) noexcept {
    words_ = words;
    size_ = size;
    mask_ = size == 0 ? 0 : ring_words(size) - 1;
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t top() const noexcept { return top_.load(std::memory_order_relaxed); }

  // Starts at `top` with every number up to it taken as seen: after a restart (RFC 4303 A3).
  void reset_fully_marked(std::uint64_t top) noexcept {
    for (std::uint32_t i = 0; i < words_for(size_); ++i) words_[i] = ~std::uint64_t{0};
    // Bits above top in top's own word are numbers to come.
    if (size_ != 0) {
      const std::uint64_t above = top % 64;
      words_[(top / 64) & mask_] = above == 63 ? ~std::uint64_t{0} : (std::uint64_t{2} << above) - 1;
    }
    top_.store(top, std::memory_order_relaxed);
  }

  // Goes on where `other` stands. Of equal size, bit for bit; else with every number up to its top taken as seen.
  void copy_from(const ReplayWindow& other) noexcept {
    if (size_ != other.size_) return reset_fully_marked(other.top());
    for (std::uint32_t i = 0; i < words_for(size_); ++i) words_[i] = other.words_[i];
    top_.store(other.top(), std::memory_order_relaxed);
  }

  [[nodiscard]] ReplayCheck check(std::uint64_t number) const noexcept {
    const std::uint64_t top = this->top();
    if (size_ == 0 || number > top) return ReplayCheck::fresh;
    if (top - number >= size_) return ReplayCheck::late;
    return (words_[(number / 64) & mask_] >> (number % 64) & 1U) != 0 ? ReplayCheck::duplicate : ReplayCheck::fresh;
  }

  // Marks `number` as seen; call only after its tag is good and check() said fresh.
  void accept(std::uint64_t number) noexcept {
    const std::uint64_t top = this->top();
    if (size_ == 0) {
      if (number > top) top_.store(number, std::memory_order_relaxed);
      return;
    }
    if (number > top) {
      // 1. Words between the old and the new top hold numbers of a lap ago: clear them.
      const std::uint64_t from = top / 64;
      const std::uint64_t to = number / 64;
      const std::uint64_t steps = to - from > mask_ ? mask_ + 1 : to - from;
      for (std::uint64_t i = 1; i <= steps; ++i) words_[(from + i) & mask_] = 0;
      top_.store(number, std::memory_order_relaxed);
    }
    // 2. Mark it.
    words_[(number / 64) & mask_] |= std::uint64_t{1} << (number % 64);
  }

 private:
  // A power of two of words with at least one to spare beyond the window.
  static constexpr std::uint32_t ring_words(std::uint32_t size) noexcept { return size / 64 * 2; }

  std::uint64_t* words_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint64_t mask_ = 0;
  std::atomic<std::uint64_t> top_{0};
};

}  // namespace linecrypt
