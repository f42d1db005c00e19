// Strong ids. An id is an index into the host's slot array and a generation: finding the SA is one array access, and an
// id that outlived its SA is recognised (Verdict::stale_sa).
#pragma once

#include <compare>
#include <cstdint>

namespace linecrypt {

struct SaId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0 is never valid

  [[nodiscard]] constexpr bool valid() const noexcept { return generation != 0; }
  auto operator<=>(const SaId&) const = default;
};

// Queue of an engine: what one worker thread submits to and polls.
enum class QueueId : std::uint16_t {};

}  // namespace linecrypt
