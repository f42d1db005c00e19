// RangeTable: longest prefix match as a sorted list of disjoint ranges, built once, searched by bisection. Nested
// prefixes are cut so that each range has one answer: n prefixes give at most 2n + 1 ranges.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace linecrypt::gateway {

// `Key` is an unsigned integer as wide as the address: std::uint32_t or unsigned __int128.
template <typename Key>
class RangeTable {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  struct Entry {
    Key first = 0;  // first and last address of the prefix
    Key last = 0;
    std::uint32_t metric = 0;
    std::uint32_t value = none;
  };

  // Entries of one prefix: the lowest metric wins, then the one that comes first.
  void build(std::vector<Entry> entries) {
    // 1. Outer prefixes before the ones inside them; the best of equal ones first.
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      if (a.first != b.first) return a.first < b.first;
      if (a.last != b.last) return a.last > b.last;
      return a.metric < b.metric;
    });
    entries.erase(std::unique(entries.begin(), entries.end(),
                              [](const Entry& a, const Entry& b) { return a.first == b.first && a.last == b.last; }),
                  entries.end());

    // 2. Sweep from 0 upwards; `open` holds the prefixes that cover the current address, the longest on top.
    firsts_.clear();
    values_.clear();
    append(0, none);
    std::vector<Entry> open;
    const auto close_top = [&] {
      const Key last = open.back().last;
      open.pop_back();
      if (last != static_cast<Key>(~Key{0})) append(last + 1, open.empty() ? none : open.back().value);
    };
    for (const Entry& entry : entries) {
      while (!open.empty() && open.back().last < entry.first) close_top();
      open.push_back(entry);
      append(entry.first, entry.value);
    }
    while (!open.empty()) close_top();
  }

  // The value of the longest prefix that holds `key`; `none` if there is none.
  [[nodiscard]] std::uint32_t find(Key key) const noexcept {
    if (firsts_.empty()) return none;
    const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), key);
    return values_[static_cast<std::size_t>(after - firsts_.begin()) - 1];  // firsts_[0] is 0
  }

 private:
  void append(Key first, std::uint32_t value) {
    if (!firsts_.empty() && firsts_.back() == first) {
      values_.back() = value;
      return;
    }
    firsts_.push_back(first);
    values_.push_back(value);
  }

  std::vector<Key> firsts_;
  std::vector<std::uint32_t> values_;
};

}  // namespace linecrypt::gateway
