// RuleTable: ordered selectors of one family, found without walking them all (tuple space search).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "linecrypt/policy.hpp"

namespace linecrypt::tables {

// Selectors with the same two prefix lengths form a shape; a shape is one hash table over the masked addresses. A
// lookup visits the shapes, best first, and stops at the first that cannot hold an earlier rule than the one found: its
// cost grows with the number of different shapes (a handful), not with the number of selectors.
class RuleTable {
 public:
  static constexpr std::uint32_t no_match = std::numeric_limits<std::uint32_t>::max();

  // `selectors` in the order of matching, all of one family; answers are positions in it.
  explicit RuleTable(std::vector<Selector> selectors);
  // Position of the first selector that matches, or no_match. Any thread.
  [[nodiscard]] std::uint32_t first_match(const TrafficKey& key) const noexcept;

 private:
  struct Shape {
    std::uint8_t local_length = 0;
    std::uint8_t remote_length = 0;
    std::uint32_t first = 0;  // its earliest rule
    std::uint32_t mask = 0;   // heads.size() - 1
    // Hash bucket -> earliest rule there; rules of a bucket are chained in order by next_.
    std::vector<std::uint32_t> heads;
  };
  [[nodiscard]] static std::uint64_t hash(const Shape& shape, const std::uint8_t* local,
                                          const std::uint8_t* remote) noexcept;

  std::vector<Selector> selectors_;
  std::vector<std::uint32_t> next_;
  std::vector<Shape> shapes_;
};

}  // namespace linecrypt::tables
