#include "host/tables/spi_table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include "host/values/huge_memory.hpp"
#include "linecrypt/wire/esp.hpp"

namespace linecrypt::tables {
namespace {

constexpr std::size_t bucket_entries = 4;
constexpr std::size_t prefetch_distance = 16;

[[nodiscard]] std::uint64_t pack(SaId id) noexcept {
  return (std::uint64_t{id.index} << 32U) | id.generation;
}
[[nodiscard]] SaId unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word >> 32U), static_cast<std::uint32_t>(word)};
}

// One cache line. The order of writes is what readers rely on:
//   insert   version + 1, then the id, then the key        remove   key = 0
// A reader takes (version, key, id, version). An id of a later insert than the first version read implies, by the
// release of the id and its acquire, that the second reading of the version differs.
struct alignas(64) Bucket {
  std::atomic<std::uint32_t> version{0};
  std::atomic<std::uint32_t> passed{0};  // entries that hash here or before and stand in a later bucket
  std::array<std::atomic<std::uint32_t>, bucket_entries> spis{};  // 0: free
  std::array<std::atomic<std::uint64_t>, bucket_entries> ids{};
};
static_assert(sizeof(Bucket) == 64);

// A bit for each entry that holds `spi`. All four are looked at: SPIs come in any order, and a branch that guesses
// which one it is costs more than three comparisons.
[[nodiscard]] inline std::uint32_t hits(const Bucket& bucket, std::uint32_t spi) noexcept {
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < bucket_entries; ++i)
    found |= static_cast<std::uint32_t>(bucket.spis[i].load(std::memory_order_acquire) == spi) << i;
  return found;
}

}  // namespace

struct SpiTable::Impl {
  explicit Impl(std::uint32_t entries) : capacity(std::max(entries, 1U)) {
    // At most half full: four entries a bucket and two in use, so that few lookups leave their first cache line.
    const std::uint32_t count = std::bit_ceil((capacity + 1) / 2);
    buckets = HugeArray<Bucket>(count);
    mask = count - 1;
    shift = static_cast<std::uint32_t>(32 - std::countr_zero(count));
  }

  // SPIs are often consecutive: Fibonacci hashing spreads them.
  [[nodiscard]] std::uint32_t home(std::uint32_t spi) const noexcept {
    return mask == 0 ? 0 : (spi * 0x9e3779b1U) >> shift;
  }

  struct Position {
    Bucket* bucket = nullptr;
    std::size_t entry = 0;
  };
  // Writer only.
  [[nodiscard]] Position locate(std::uint32_t spi) noexcept {
    std::uint32_t at = home(spi);
    for (std::uint32_t step = 0; step <= mask; ++step, at = (at + 1) & mask) {
      Bucket& bucket = buckets[at];
      for (std::size_t i = 0; i < bucket_entries; ++i)
        if (bucket.spis[i].load(std::memory_order_relaxed) == spi) return {&bucket, i};
      if (bucket.passed.load(std::memory_order_relaxed) == 0) break;
    }
    return {};
  }

  // 1. Read the bucket's version. 2. Compare its keys; on a hit take the id and read the version again: when an insert
  // went by, start this bucket over. 3. Go on to the next bucket only while an entry has passed this one.
  [[nodiscard]] SaId find(std::uint32_t spi) const noexcept {
    if (spi == 0) return {};
    std::uint32_t at = home(spi);
    for (std::uint32_t step = 0; step <= mask; ++step, at = (at + 1) & mask) {
      const Bucket& bucket = buckets[at];
      for (;;) {
        const std::uint32_t version = bucket.version.load(std::memory_order_acquire);
        const std::uint32_t found = hits(bucket, spi);
        if (found == 0) break;
        const std::uint64_t id =
            bucket.ids[static_cast<std::size_t>(std::countr_zero(found))].load(std::memory_order_acquire);
        if (bucket.version.load(std::memory_order_relaxed) == version) return unpack(id);
      }
      if (bucket.passed.load(std::memory_order_acquire) == 0) break;
    }
    return {};
  }

  std::uint32_t capacity;
  std::uint32_t used = 0;
  std::uint32_t mask = 0;
  std::uint32_t shift = 0;
  HugeArray<Bucket> buckets;
};

SpiTable::SpiTable(std::uint32_t capacity) : impl_(std::make_unique<Impl>(capacity)) {}
SpiTable::~SpiTable() = default;

Result<void> SpiTable::insert(std::uint32_t spi, SaId id) {
  if (spi < wire::esp_spi_smallest) {
    return Error{fmt::format("SPI {:#010x} is reserved; allowed are 0x00000100 and above (RFC 4303 2.1)", spi)};
  }
  if (impl_->locate(spi).bucket != nullptr) {
    return Error{fmt::format("SPI {:#010x} is in use by another ingress SA; each needs its own", spi)};
  }
  if (impl_->used >= impl_->capacity) {
    return Error{fmt::format("SPI table: all {} entries are in use", impl_->capacity)};
  }
  // 1. The first bucket from home with a free entry; there is one, the table is at most half full.
  std::uint32_t at = impl_->home(spi);
  for (;; at = (at + 1) & impl_->mask) {
    Bucket& bucket = impl_->buckets[at];
    for (std::size_t i = 0; i < bucket_entries; ++i) {
      if (bucket.spis[i].load(std::memory_order_relaxed) != 0) continue;
      // 3. Publish: version, id, key, in this order.
      bucket.version.store(bucket.version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
      bucket.ids[i].store(pack(id), std::memory_order_release);
      bucket.spis[i].store(spi, std::memory_order_release);
      ++impl_->used;
      return {};
    }
    // 2. Readers must go past a full bucket before the entry is there.
    bucket.passed.store(bucket.passed.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
}

void SpiTable::remove(std::uint32_t spi) noexcept {
  if (spi == 0) return;
  const Impl::Position position = impl_->locate(spi);
  if (position.bucket == nullptr) return;
  position.bucket->spis[position.entry].store(0, std::memory_order_release);
  for (std::uint32_t at = impl_->home(spi); &impl_->buckets[at] != position.bucket; at = (at + 1) & impl_->mask) {
    Bucket& bucket = impl_->buckets[at];
    bucket.passed.store(bucket.passed.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }
  --impl_->used;
}

SaId SpiTable::find(std::uint32_t spi) const noexcept {
  return impl_->find(spi);
}

void SpiTable::find(std::span<const std::uint32_t> spis, std::span<SaId> ids) const noexcept {
  const auto prefetch = [this](std::uint32_t spi) { __builtin_prefetch(&impl_->buckets[impl_->home(spi)]); };
  const std::size_t ahead = std::min(prefetch_distance, spis.size());
  for (std::size_t i = 0; i < ahead; ++i) prefetch(spis[i]);
  for (std::size_t i = 0; i < spis.size(); ++i) {
    if (i + ahead < spis.size()) prefetch(spis[i + ahead]);
    ids[i] = impl_->find(spis[i]);
  }
}

std::uint32_t SpiTable::size() const noexcept {
  return impl_->used;
}

}  // namespace linecrypt::tables
