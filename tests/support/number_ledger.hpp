// NumberLedger: every number that was really lent, across crashes of whoever lent it. Lives in shared memory, so that a
// child that is killed leaves what it wrote.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>

namespace linecrypt::test {

class NumberLedger {
 public:
  // Numbers 0 .. numbers - 1 of `spaces` spaces.
  NumberLedger(std::size_t spaces, std::size_t numbers) : numbers_(numbers), size_(spaces * numbers + sizeof(Totals)) {
    void* const memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory for the ledger");
    totals_ = new (memory) Totals;
    seen_ = static_cast<std::atomic<std::uint8_t>*>(static_cast<void*>(totals_ + 1));
  }
  ~NumberLedger() { ::munmap(totals_, size_); }
  NumberLedger(const NumberLedger&) = delete;
  NumberLedger& operator=(const NumberLedger&) = delete;

  // A number used twice, or one the ledger is too small for, is counted.
  void use(std::size_t space, std::uint64_t number) noexcept {
    if (number >= numbers_) {
      totals_->beyond.fetch_add(1);
      return;
    }
    if (seen_[space * numbers_ + number].exchange(1) != 0) totals_->twice.fetch_add(1);
    totals_->used.fetch_add(1);
  }
  [[nodiscard]] std::uint64_t used() const noexcept { return totals_->used.load(); }
  [[nodiscard]] std::uint64_t twice() const noexcept { return totals_->twice.load(); }
  [[nodiscard]] std::uint64_t beyond() const noexcept { return totals_->beyond.load(); }

 private:
  struct Totals {
    std::atomic<std::uint64_t> used{0};
    std::atomic<std::uint64_t> twice{0};
    std::atomic<std::uint64_t> beyond{0};
  };
  std::size_t numbers_;
  std::size_t size_;
  Totals* totals_;
  std::atomic<std::uint8_t>* seen_;  // zeroed by the system
};

}  // namespace linecrypt::test
