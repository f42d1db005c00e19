// The system's monotonic clock, for whoever was given none.
#pragma once

#include <chrono>
#include <cstdint>

#include "linecrypt/engine.hpp"

namespace linecrypt {

[[nodiscard]] inline Clock system_clock() noexcept {
  return {nullptr, [](void* /*self*/) {
            return static_cast<std::uint64_t>(
                std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
          }};
}

}  // namespace linecrypt
