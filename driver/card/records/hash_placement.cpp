#include "driver/card/records/hash_placement.hpp"

#include <fmt/format.h>

#include <cstring>
#include <deque>

namespace linecrypt::card {
namespace {

constexpr std::size_t search_largest = 4096;  // buckets looked at for one entry

}  // namespace

HashPlacement::HashPlacement(abi::Block block, std::uint32_t buckets) : block_(block), buckets_(buckets) {}

std::uint32_t HashPlacement::bucket_of(const abi::HashEntry& entry, std::uint32_t way) const noexcept {
  return abi::hash_bucket(entry.key, entry.an, way, static_cast<std::uint32_t>(buckets_.size()));
}

bool HashPlacement::find(HashName name, Place& place) const noexcept {
  for (std::uint32_t way = 0; way < abi::hash_ways; ++way) {
    const std::uint32_t bucket = abi::hash_bucket(name.key, name.an, way, static_cast<std::uint32_t>(buckets_.size()));
    for (std::uint32_t slot = 0; slot < abi::hash_slots; ++slot) {
      const abi::HashEntry& entry = buckets_[bucket].entry[slot];
      if (entry.generation != 0 && entry.key == name.key && entry.an == name.an) {
        place = {bucket, slot};
        return true;
      }
    }
  }
  return false;
}

bool HashPlacement::free_slot(std::uint32_t bucket, std::uint32_t& slot) const noexcept {
  for (slot = 0; slot < abi::hash_slots; ++slot)
    if (buckets_[bucket].entry[slot].generation == 0) return true;
  return false;
}

// The shortest way to a free place: breadth first over the buckets that an entry could push another one to. `path` is
// the places from the entry's own bucket to the free one.
bool HashPlacement::find_path(const abi::HashEntry& entry, std::vector<Place>& path) const {
  struct Step {
    std::uint32_t bucket;
    std::size_t from;    // step that leads here
    std::uint32_t slot;  // of the entry there that moves here
  };
  std::vector<Step> steps;
  std::vector<bool> seen(buckets_.size());
  const auto visit = [&](std::uint32_t bucket, std::size_t from, std::uint32_t slot) {
    if (seen[bucket]) return;
    seen[bucket] = true;
    steps.push_back({bucket, from, slot});
  };
  for (std::uint32_t way = 0; way < abi::hash_ways; ++way) visit(bucket_of(entry, way), SIZE_MAX, 0);
  for (std::size_t at = 0; at < steps.size() && at < search_largest; ++at) {
    std::uint32_t free = 0;
    if (free_slot(steps[at].bucket, free)) {
      path.clear();
      std::uint32_t slot = free;
      for (std::size_t i = at; i != SIZE_MAX; i = steps[i].from) {
        path.insert(path.begin(), Place{steps[i].bucket, slot});
        slot = steps[i].slot;
      }
      return true;
    }
    for (std::uint32_t slot = 0; slot < abi::hash_slots; ++slot) {
      const abi::HashEntry& there = buckets_[steps[at].bucket].entry[slot];
      for (std::uint32_t way = 0; way < abi::hash_ways; ++way) visit(bucket_of(there, way), at, slot);
    }
  }
  return false;
}

abi::Command HashPlacement::load(std::uint32_t bucket) const noexcept {
  abi::Command out{};
  out.op = abi::CommandOp::load;
  out.block = block_;
  out.table = abi::Table::hash;
  out.index = bucket;
  static_assert(sizeof(Bucket) == abi::word_bytes);
  std::memcpy(out.payload, &buckets_[bucket], sizeof(Bucket));
  return out;
}

// 1. A name that is there.
// 2. A path to a free place. From its end on, each entry moves one place further: the new place is written first, and
//    the write that puts another entry into the old place is the one that clears it.
Result<std::vector<abi::Command>> HashPlacement::insert(HashName name, SaId id) {
  std::vector<abi::Command> out;
  abi::HashEntry entry{};
  entry.key = name.key;
  entry.an = name.an;
  entry.index = id.index;
  entry.generation = id.generation;
  // 1.
  if (Place place; find(name, place)) {
    buckets_[place.bucket].entry[place.slot] = entry;
    out.push_back(load(place.bucket));
    return out;
  }
  // 2.
  std::vector<Place> path;
  if (!find_path(entry, path))
    return Error{fmt::format(
        "hash table: no place for one more entry beside {}, allowed: fewer SAs found by SPI or SCI", used_)};
  for (std::size_t i = path.size() - 1; i > 0; --i) {
    buckets_[path[i].bucket].entry[path[i].slot] = buckets_[path[i - 1].bucket].entry[path[i - 1].slot];
    out.push_back(load(path[i].bucket));
  }
  buckets_[path[0].bucket].entry[path[0].slot] = entry;
  out.push_back(load(path[0].bucket));
  ++used_;
  return out;
}

std::vector<abi::Command> HashPlacement::erase(HashName name) {
  Place place;
  if (!find(name, place)) return {};
  buckets_[place.bucket].entry[place.slot] = abi::HashEntry{};
  --used_;
  return {load(place.bucket)};
}

}  // namespace linecrypt::card
