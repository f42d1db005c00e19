// SpiTable: ingress SPI -> SA id. Workers look up while the control thread inserts and removes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "linecrypt/ids.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::tables {

// Open addressing over cache-line sized buckets; capacity fixed at construction. An entry is one key and one id, each
// written atomically, the key last; a reader that races sees the old or the new entry, never a mix.
class SpiTable {
 public:
  explicit SpiTable(std::uint32_t capacity);
  ~SpiTable();
  // Control thread. An error names the SPI when it is in use, or the capacity.
  Result<void> insert(std::uint32_t spi, SaId id);
  void remove(std::uint32_t spi) noexcept;
  // Any thread. An invalid id when there is none.
  [[nodiscard]] SaId find(std::uint32_t spi) const noexcept;
  // Bursts, with prefetch.
  void find(std::span<const std::uint32_t> spis, std::span<SaId> ids) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::tables
