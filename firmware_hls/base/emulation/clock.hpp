// The clock that streams, tables and processes of one card share. Whoever composes them calls tick() once all
// processes have had their call; the order of those calls does not matter, since nothing written is visible in its
// cycle.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linecrypt {
namespace firmware {

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

 private:
  std::uint64_t now_ = 0;
  std::size_t cut_from_ = 0;
  std::size_t cut_to_ = 0;
};

}  // namespace firmware
}  // namespace linecrypt
