// Side: one of two that do the same work, burst after burst. And what becomes of the two.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "linecrypt/result.hpp"

namespace linecrypt::bench {

class Side {
 public:
  virtual ~Side() = default;
  [[nodiscard]] virtual std::uint32_t packets() const noexcept = 0;  // of a burst
  // Not timed: whatever the next burst needs. run() is timed, and one virtual call a burst.
  virtual void prepare() = 0;
  virtual void run() = 0;
  // Not timed: what came of the last burst. Empty: all is right; else what is wrong.
  [[nodiscard]] virtual std::string check() = 0;
  // What packet i became, to be equal on both sides byte for byte.
  [[nodiscard]] virtual std::span<const std::uint8_t> result(std::uint32_t i) const = 0;
};

struct Effort {
  std::uint32_t pairs = 101;
  double slice_ns = 1e5;      // of timed bursts, each side of a pair: short, so that few are interrupted
  double spread_limit = 0.1;  // a wider one is no claim
};

// Times in nanoseconds a packet.
struct Comparison {
  double ours_ns = 0;
  double peer_ns = 0;
  double ratio = 0;           // median of the pairs: how many times as fast ours is
  double spread = 0;          // interquartile range of the pairs' ratios, as a part of their median
  double cost_ns = 0;         // median of the pairs: what ours takes longer
  double cost_spread_ns = 0;  // interquartile range of that
};

// Do two sides make the same, or is one a part of the other's work (the bare cipher of a whole path)?
enum class Results : std::uint8_t { equal, of_their_own };

// 1. One burst of each, compared byte for byte. An error says where they differ.
// 2. Pairs of slices, A B and B A in turn, so that a machine that becomes faster or slower does it to both. The results
//    of each slice's last burst are checked.
Result<Comparison> compare(Side& ours, Side& peer, Results results, const Effort& effort);

// Step 2 alone, over anything that takes turns: a slice says nanoseconds a packet, or what was wrong.
using Slice = std::function<Result<double>()>;
Result<Comparison> compare_in_pairs(const Slice& ours, const Slice& peer, std::uint32_t pairs);

// One side alone: nanoseconds a packet, and the spread of the slices.
struct Timing {
  double ns = 0;
  double spread = 0;
};
Result<Timing> time_alone(Side& side, const Effort& effort);

}  // namespace linecrypt::bench
