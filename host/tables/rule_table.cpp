#include "host/tables/rule_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace linecrypt::tables {
namespace {

// Mixes the first `length` bits of `address` into `h` (a multiply and xor-shift per 8 bytes).
[[nodiscard]] std::uint64_t mix(std::uint64_t h, const std::uint8_t* address, std::uint32_t length) noexcept {
  std::uint32_t left = length;
  for (std::uint32_t at = 0; left > 0; at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, address + at, sizeof word);  // addresses are whole words: 4 or 16 bytes
    word = __builtin_bswap32(word);
    if (left < 32) word &= ~std::uint32_t{0} << (32 - left);
    left -= std::min(left, 32U);
    h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
    h ^= h >> 29U;
  }
  return h;
}

}  // namespace

std::uint64_t RuleTable::hash(const Shape& shape, const std::uint8_t* local, const std::uint8_t* remote) noexcept {
  return mix(mix(0x51ed270b9f4a7c15ULL, local, shape.local_length), remote, shape.remote_length);
}

RuleTable::RuleTable(std::vector<Selector> selectors)
    : selectors_(std::move(selectors)), next_(selectors_.size(), no_match) {
  // 1. The shapes, in order of their earliest rule, and how many rules each has.
  std::vector<std::uint32_t> counts;
  std::vector<std::size_t> shape_of(selectors_.size());
  for (std::uint32_t rule = 0; rule < selectors_.size(); ++rule) {
    const Selector& selector = selectors_[rule];
    const auto same = [&](const Shape& shape) {
      return shape.local_length == selector.local.length && shape.remote_length == selector.remote.length;
    };
    const auto found = std::find_if(shapes_.begin(), shapes_.end(), same);
    shape_of[rule] = static_cast<std::size_t>(found - shapes_.begin());
    if (found == shapes_.end()) {
      shapes_.push_back({selector.local.length, selector.remote.length, rule, 0, {}});
      counts.push_back(0);
    }
    ++counts[shape_of[rule]];
  }
  // 2. Tables at most half full.
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    shapes_[i].heads.assign(std::bit_ceil(counts[i] * 2), no_match);
    shapes_[i].mask = static_cast<std::uint32_t>(shapes_[i].heads.size() - 1);
  }
  // 3. Chains, filled from the last rule so that each begins with its earliest.
  for (std::size_t i = selectors_.size(); i > 0; --i) {
    const Selector& selector = selectors_[i - 1];
    Shape& shape = shapes_[shape_of[i - 1]];
    const std::uint64_t h = hash(shape, selector.local.address.bytes.data(), selector.remote.address.bytes.data());
    std::uint32_t& head = shape.heads[h & shape.mask];
    next_[i - 1] = std::exchange(head, static_cast<std::uint32_t>(i - 1));
  }
}

// 1. Shapes in order of their earliest rule; stop when none can be better than what was found. 2. In a shape, the chain
// of the key's bucket in order, up to the best so far: matches() decides.
std::uint32_t RuleTable::first_match(const TrafficKey& key) const noexcept {
  std::uint32_t best = no_match;
  for (const Shape& shape : shapes_) {
    if (shape.first >= best) break;
    std::uint32_t rule = shape.heads[hash(shape, key.local, key.remote) & shape.mask];
    while (rule < best && !matches(selectors_[rule], key)) rule = next_[rule];
    best = std::min(best, rule);
  }
  return best;
}

}  // namespace linecrypt::tables
