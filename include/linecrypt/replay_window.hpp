// Anti-replay window over full 64-bit numbers (RFC 4303 3.4.3).
//
// A window of W accepts numbers above top - W, so W bits hold it: a number's bit is its place modulo W in a ring of
// 64-bit words, and advancing clears the bits of the numbers passed over. Not thread safe: the worker that owns the SA
// checks and accepts; others may read `top()`.
#pragma once

#include <atomic>
#include <cstdint>

namespace linecrypt {

enum class ReplayCheck : std::uint8_t { fresh, late, duplicate };

class ReplayWindow {
 public:
  // `words` points at words_for(size) zeroed words that outlive the window; size is a power of two 64..4096, or 0: no
  // check.
  static constexpr std::uint32_t words_for(std::uint32_t size) noexcept { return size / 64; }

  ReplayWindow() = default;
  void attach(std::uint64_t* words, std::uint32_t size) noexcept {
    words_ = words;
    size_ = size;
  }
  // What attach() was given; and the word that the next number in order touches, for prefetching (none: no window).
  [[nodiscard]] std::uint64_t* words() const noexcept { return words_; }
  [[nodiscard]] const std::uint64_t* next_word() const noexcept {
    return size_ == 0 ? nullptr : &words_[place(top() + 1)];
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t top() const noexcept { return top_.load(std::memory_order_relaxed); }

  // Starts at `top` with every number up to it taken as seen: after a restart (RFC 4303 A3).
  void reset_fully_marked(std::uint64_t top) noexcept {
    for (std::uint32_t i = 0; i < words_for(size_); ++i) words_[i] = ~std::uint64_t{0};
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
    if (number > top || size_ == 0) return ReplayCheck::fresh;
    if (top - number >= size_) return ReplayCheck::late;
    return (words_[place(number)] >> (number % 64) & 1U) != 0 ? ReplayCheck::duplicate : ReplayCheck::fresh;
  }

  // accept() of the numbers top() + 1 .. last, at most 64; precondition: there is a window. The bits that it passes
  // over are those that it sets.
  void accept_run(std::uint64_t last) noexcept {
    const std::uint64_t first = top() + 1;
    const std::uint64_t from = ~std::uint64_t{0} << (first % 64);    // first and above
    const std::uint64_t to = ~std::uint64_t{0} >> (63 - last % 64);  // last and below
    top_.store(last, std::memory_order_relaxed);
    if (first / 64 == last / 64) {
      words_[place(first)] |= from & to;
      return;
    }
    words_[place(first)] |= from;
    words_[place(last)] |= to;
  }

  // Marks `number` as seen; call only after its tag is good and check() said fresh.
  void accept(std::uint64_t number) noexcept {
    const std::uint64_t top = this->top();
    if (size_ == 0) {
      if (number > top) top_.store(number, std::memory_order_relaxed);
      return;
    }
    if (number > top) {
      // 1. The bits of the numbers behind the old top up to the new one are those of a lap ago: clear them. In order
      // that is the one which is set below.
      if (number - top != 1) forget(top + 1, number);
      top_.store(number, std::memory_order_relaxed);
    }
    // 2. Mark it.
    words_[place(number)] |= std::uint64_t{1} << (number % 64);
  }

 private:
  // Precondition: size_ != 0, a power of two.
  [[nodiscard]] std::uint64_t place(std::uint64_t number) const noexcept { return number / 64 & (size_ / 64 - 1); }

  // Clears the bits of the numbers first..last. Mostly they are in one word.
  void forget(std::uint64_t first, std::uint64_t last) noexcept {
    if (last - first >= size_ - 1) {
      for (std::uint32_t i = 0; i < words_for(size_); ++i) words_[i] = 0;
      return;
    }
    const std::uint64_t from = ~std::uint64_t{0} << (first % 64);    // first and above
    const std::uint64_t to = ~std::uint64_t{0} >> (63 - last % 64);  // last and below
    if (first / 64 == last / 64) {
      words_[place(first)] &= ~(from & to);
      return;
    }
    words_[place(first)] &= ~from;
    for (std::uint64_t word = first / 64 + 1; word < last / 64; ++word) words_[place(word * 64)] = 0;
    words_[place(last)] &= ~to;
  }

  std::uint64_t* words_ = nullptr;
  std::atomic<std::uint64_t> top_{0};
  std::uint32_t size_ = 0;
};

}  // namespace linecrypt
