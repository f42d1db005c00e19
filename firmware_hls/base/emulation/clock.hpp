// The clock that streams, tables and processes of one card share. Whoever composes them calls tick() once all
// processes have had their call; the order of those calls does not matter, since nothing written is visible in its
// cycle.
#pragma once

#include <cstdint>

namespace linecrypt {
namespace firmware {

class Clock {
 public:
  std::uint64_t now() const { return now_; }
  void tick() { ++now_; }

 private:
  std::uint64_t now_ = 0;
};

}  // namespace firmware
}  // namespace linecrypt
