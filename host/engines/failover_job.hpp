// Small questions about a job. Inside host/engines only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/packet.hpp"

namespace linecrypt::engines {

[[nodiscard]] constexpr bool is_ingress(Operation operation) noexcept {
  return operation == Operation::esp_decapsulate || operation == Operation::macsec_validate;
}

// Calls `f` with the index of each SA that the job names.
template <typename F>
void each_sa(const Job& job, std::size_t count, F f) noexcept {
  for (const Stage& stage : job.stages)
    if (stage.operation != Operation::none && stage.sa.index < count) f(stage.sa.index);
}

}  // namespace linecrypt::engines
