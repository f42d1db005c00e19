// Leases: blocks of egress numbers lent to one engine at a time, so that no crash, reset or failover repeats a GCM
// nonce.
//
// The number space belongs to the key, not to the SA or its name. It is named by a keyed hash of (algorithm, key, and
// salt, SCI or SSCI + salt); the hash key never leaves the host's state directory, so the name tells nothing of the
// key.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "linecrypt/result.hpp"

namespace linecrypt {

struct NumberSpaceId {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const NumberSpaceId&) const = default;
};

// Numbers [begin, end). An empty lease lends nothing.
struct Lease {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t size() const noexcept { return end - begin; }
  auto operator<=>(const Lease&) const = default;
};

inline constexpr std::uint64_t lease_largest = std::uint64_t{1} << 20U;
inline constexpr std::uint64_t lease_largest_32bit = std::uint64_t{1} << 16U;
// Numbers leased and skipped ahead of the peer stay below this: the peer infers the high half (RFC 4303 A2.2).
inline constexpr std::uint64_t lead_largest = std::uint64_t{1} << 30U;

struct LeaseRequest {
  NumberSpaceId space;
  std::uint64_t size = 0;
};

// Lends numbers. Implementations: host/keys (journal for static keys, memory for keys that die with the process).
// Control thread only; may wait for the disk. One call covers a batch, so that one fdatasync does.
class LeaseAuthority {
 public:
  virtual ~LeaseAuthority() = default;
  // For each request the next numbers never lent before, or an error that names what is wrong with the space. A lease
  // is spent once returned, used or not; a lease is returned only after it is durable where its key outlives the
  // process.
  virtual std::vector<Result<Lease>> acquire(std::span<const LeaseRequest> requests) = 0;
};

}  // namespace linecrypt
