// What every engine asks of an SA and its numbers before it takes them, so that the software engine and the card cannot
// differ in what they refuse.
#pragma once

#include <cstdint>

#include "linecrypt/engine.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

[[nodiscard]] Direction direction_of(const Sa& sa);

// Bits of the replay window in the slot. A MACsec SA has one only as its duplicate bitmap.
[[nodiscard]] std::uint32_t window_size(const Sa& sa);

// The numbers that come with an install: the first lease for egress, the window's top for ingress.
Result<void> check_start(const Sa& sa, Lease lease, std::uint64_t window_top);

// A lease for a live SA whose last one ended at `granted`. One that overlaps an earlier one would repeat nonces:
// refused here as well as by the authority.
Result<void> check_grant(const SaSlot& slot, std::uint64_t granted, Lease lease);

}  // namespace linecrypt
