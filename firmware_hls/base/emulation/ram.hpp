// The clocked model of a RAM with two ports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <typeinfo>
#include <vector>

#include "firmware_hls/base/emulation/card_memory.hpp"
#include "firmware_hls/base/emulation/clock.hpp"

namespace linecrypt {
namespace firmware {

// D: cycles from a write to the first read that sees it. Two ports: more than two accesses in one cycle (a second read
// of the same place counts once) throw, as does an index past the end.
template <class T, std::size_t N, unsigned D>
class Ram final : public ClockedMemory {
 public:
  explicit Ram(const Clock& clock) : clock_(&clock), cells_(N), writes_(2 * (D + 1)) { clock.enrol(*this); }
  Ram(const Ram&) = delete;
  Ram& operator=(const Ram&) = delete;
  ~Ram() = default;

  const T& read(std::size_t index) {
    settle();
    if (index >= N) throw std::out_of_range("ram: read past the end");
    if (index != last_read_) count_access();
    last_read_ = index;
    return cells_[index];
  }

  void write(std::size_t index, const T& value) {
    settle();
    if (index >= N) throw std::out_of_range("ram: write past the end");
    count_access();
    if (D == 0) {
      cells_[index] = value;
      return;
    }
    Write& slot = writes_[(first_ + count_) % writes_.size()];
    slot.index = index;
    slot.value = value;
    slot.visible = clock_->now() + D;
    ++count_;
  }

  std::size_t words() const override { return N; }
  const std::type_info& holds() const override { return typeid(T); }
  bool is_zero(std::size_t index) override {
    settle();
    T word = cells_[index];
#if defined(__GNUC__) && !defined(__clang__)
    __builtin_clear_padding(&word);
#endif
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &word, sizeof bytes);
    for (const unsigned char byte : bytes) {
      if (byte != 0) return false;
    }
    return true;
  }
  void spoil() override {
    settle();
    for (T& word : cells_) std::memset(static_cast<void*>(&word), 1, sizeof word);
  }

 private:
  static constexpr std::size_t none = ~std::size_t{0};

  struct Write {
    std::size_t index = 0;
    T value{};
    std::uint64_t visible = 0;
  };

  // Lets the writes whose time has come be seen, in their order, and gives a new cycle its two accesses.
  void settle() {
    while (count_ != 0 && writes_[first_].visible <= clock_->now()) {
      cells_[writes_[first_].index] = writes_[first_].value;
      writes_[first_].value = T{};  // no copy of a key stays behind
      first_ = (first_ + 1) % writes_.size();
      --count_;
    }
    if (cycle_ != clock_->now()) {
      cycle_ = clock_->now();
      accesses_ = 0;
      last_read_ = none;
    }
  }
  void count_access() {
    if (++accesses_ > 2) throw std::logic_error("ram: more than two accesses in one cycle");
  }

  const Clock* clock_;
  std::vector<T, CardAllocator<T>> cells_;
  std::vector<Write, CardAllocator<Write>> writes_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t cycle_ = ~std::uint64_t{0};
  unsigned accesses_ = 0;
  std::size_t last_read_ = none;
};

template <class T, std::size_t N, unsigned D>
constexpr std::size_t Ram<T, N, D>::none;

}  // namespace firmware
}  // namespace linecrypt
