// Generations of a session's SAs on the card: none is given twice.
//
// A removal leaves the SA's replay window words in the card's memory; a word of another generation reads as zero, so
// they are nothing to the next SA at that place. Under a generation that came again they would count: fresh packets
// would be refused as copies. So a session that has used them all takes no SA any more; the next one begins with a
// sweep.
#pragma once

#include <cstdint>
#include <optional>

namespace linecrypt::card {

class Generations {
 public:
  static constexpr std::uint64_t most = 0xffffffff;  // all but 0, which no SA has

  // The first one given is the one behind `first`. `given`: so many are spent already.
  explicit Generations(std::uint32_t first, std::uint64_t given = 0) noexcept : last_(first), given_(given) {}

  // None: all were given.
  [[nodiscard]] std::optional<std::uint32_t> next() noexcept {
    if (given_ >= most) return std::nullopt;
    ++given_;
    if (++last_ == 0) ++last_;
    return last_;
  }

 private:
  std::uint32_t last_;
  std::uint64_t given_;
};

}  // namespace linecrypt::card
