// HashPlacement: where entries of an ingress hash table stand (cuckoo hashing, two buckets of two entries for each
// key). The card only looks; the host decides.
#pragma once

#include <cstdint>
#include <vector>

#include "linecrypt/abi/sa_record.hpp"
#include "linecrypt/ids.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::card {

struct HashName {
  std::uint64_t key = 0;  // SPI, or SCI
  std::uint32_t an = 0;   // MACsec: AN, + abi::hash_implicit for frames without an SCI (key 0)
  auto operator<=>(const HashName&) const = default;
};

class HashPlacement {
 public:
  // `buckets`: a power of two, the card's sa_count.
  HashPlacement(abi::Block block, std::uint32_t buckets);

  // The `load` commands that make the card find `id` under `name`, in order: an entry that moves is written at its new
  // place before its old place is written over, so that packets find it at each moment. A name that is there gets the
  // new id. An error changes nothing.
  Result<std::vector<abi::Command>> insert(HashName name, SaId id);
  // The one that makes it forget; none if it is not there.
  std::vector<abi::Command> erase(HashName name);

  [[nodiscard]] std::uint32_t size() const noexcept { return used_; }

 private:
  struct Bucket {
    abi::HashEntry entry[abi::hash_slots];
  };
  struct Place {
    std::uint32_t bucket = 0;
    std::uint32_t slot = 0;
  };

  [[nodiscard]] std::uint32_t bucket_of(const abi::HashEntry& entry, std::uint32_t way) const noexcept;
  bool find(HashName name, Place& place) const noexcept;
  bool free_slot(std::uint32_t bucket, std::uint32_t& slot) const noexcept;
  bool find_path(const abi::HashEntry& entry, std::vector<Place>& path) const;
  [[nodiscard]] abi::Command load(std::uint32_t bucket) const noexcept;

  abi::Block block_;
  std::vector<Bucket> buckets_;
  std::uint32_t used_ = 0;
};

}  // namespace linecrypt::card
