// The clock that streams, tables and processes of one card share. Whoever composes them calls tick() once all
// processes have had their call; the order of those calls does not matter, since nothing written is visible in its
// cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <typeinfo>
#include <vector>

namespace linecrypt {
namespace firmware {

// A table on a clock, as tests of what a reset leaves see it. They look between two cycles, once nothing moves.
class ClockedMemory {
 public:
  virtual std::size_t words() const = 0;
  virtual const std::type_info& holds() const = 0;  // the type of a word
  virtual bool is_zero(std::size_t index) = 0;
  virtual void spoil() = 0;  // gives every byte of every word the value 1

 protected:
  ~ClockedMemory() = default;
};

class Clock {
 public:
  std::uint64_t now() const { return now_; }
  void tick() { ++now_; }

  // For tests of the depths: streams made after this with a depth of `from` get `to` instead.
  void cut_depth(std::size_t from, std::size_t to) {
    cut_from_ = from;
    cut_to_ = to;
  }
  std::size_t depth(std::size_t stated) const { return stated == cut_from_ ? cut_to_ : stated; }

  // For tests: each memory that was made on this clock. Those that are gone are not taken out.
  void enrol(ClockedMemory& memory) const { memories_.push_back(&memory); }
  const std::vector<ClockedMemory*>& memories() const { return memories_; }

 private:
  std::uint64_t now_ = 0;
  std::size_t cut_from_ = 0;
  std::size_t cut_to_ = 0;
  mutable std::vector<ClockedMemory*> memories_;
};

}  // namespace firmware
}  // namespace linecrypt
