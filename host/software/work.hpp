// Work: what the software engine keeps of a job between prepare and finish of a stage.
#pragma once

#include <array>
#include <cstdint>

#include "linecrypt/packet.hpp"

namespace linecrypt::software {

struct alignas(64) Work {
  Job* job = nullptr;
  // What the protocol keeps, most often the text and its length.
  std::uint8_t* at = nullptr;
  std::array<std::uint8_t, 40> aad{};  // AeadOp::aad_head points here where the bytes are not together in the packet
  std::uint32_t length = 0;
  std::uint32_t scratch = 0;
};
static_assert(sizeof(Work) == 64);

}  // namespace linecrypt::software
