// Secret<N>: up to N key bytes that cannot be copied, printed or compared in variable time.
//
// The bytes are cleansed on move and on destruction. There is no formatter, no stream operator and no
// operator== on purpose: a secret that reaches a log does not compile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <span>

namespace linecrypt {

// Overwrites memory in a way the optimiser may not remove.
inline void cleanse(void* memory, std::size_t size) noexcept {
  std::memset(memory, 0, size);
  asm volatile("" : : "r"(memory) : "memory");
}

// True if the two ranges hold equal bytes; time depends on `size` only.
[[nodiscard]] inline bool equal_constant_time(const std::uint8_t* a, const std::uint8_t* b, std::size_t size) noexcept {
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < size; ++i) difference |= static_cast<std::uint32_t>(a[i] ^ b[i]);
  asm volatile("" : "+r"(difference));
  return difference == 0;
}

template <std::size_t N>
class Secret {
 public:
  static constexpr std::size_t capacity = N;

  Secret() = default;
  // Takes at most N bytes of `bytes`. The caller still owns (and cleanses) the source.
  explicit Secret(std::span<const std::uint8_t> bytes) noexcept : size_(bytes.size() < N ? bytes.size() : N) {
    std::memcpy(bytes_.data(), bytes.data(), size_);
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept { take(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  ~Secret() { cleanse(bytes_.data(), N); }

  // A second copy must be asked for by name.
  [[nodiscard]] Secret duplicate() const noexcept { return Secret(bytes()); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), size_}; }

  [[nodiscard]] bool equals(const Secret& other) const noexcept {
    return size_ == other.size_ && equal_constant_time(bytes_.data(), other.bytes_.data(), N);
  }

  bool operator==(const Secret&) const = delete;
  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  void take(Secret& other) noexcept {
    bytes_ = other.bytes_;
    size_ = other.size_;
    cleanse(other.bytes_.data(), N);
    other.size_ = 0;
  }

  std::array<std::uint8_t, N> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace linecrypt
