// SpiTable: ingress SPI -> SA id. Workers look up while the control thread inserts and removes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "linecrypt/ids.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::tables {

// Open addressing over cache-line sized buckets; capacity fixed at construction. Readers never wait: they read again
// only when an insert into the same bucket went by in between, and see the old or the new entry, never a mix.
class SpiTable {
 public:
  explicit SpiTable(std::uint32_t capacity);
  ~SpiTable();
  // Control thread. An error names the SPI when it is reserved (RFC 4303 2.1) or in use, or the capacity.
  Result<void> insert(std::uint32_t spi, SaId id);
  // Control thread. A SPI that is not there is ignored.
  void remove(std::uint32_t spi) noexcept;
  // Any thread. An invalid id when there is none.
  [[nodiscard]] SaId find(std::uint32_t spi) const noexcept;
  // Bursts, with prefetch. `ids` is at least as long as `spis`.
  void find(std::span<const std::uint32_t> spis, std::span<SaId> ids) const noexcept;
  [[nodiscard]] std::uint32_t size() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::tables
