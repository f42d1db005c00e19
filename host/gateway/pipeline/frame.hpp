// Frame: one packet buffer's state while the pipeline works on it. It lives in the buffer's private area, so that a
// burst costs no allocation.
#pragma once

#include <cstdint>

#include "linecrypt/packet.hpp"

namespace linecrypt::tables {
struct PolicyEntry;
}

namespace linecrypt::gateway {

using PortIndex = std::uint16_t;
inline constexpr PortIndex no_port = 0xffff;

// Where a frame came from: the port's wire, or the kernel through the port's companion TAP.
enum class Origin : std::uint8_t { wire, companion };

struct Frame {
  Packet packet;
  Job job;
  tables::PolicyEntry* policy = nullptr;
  void* buffer = nullptr;  // the owner's (an mbuf)
  PortIndex in_port = no_port;
  PortIndex out_port = no_port;
  Origin origin = Origin::wire;
  std::uint8_t step = 0;          // the pipeline's: where to go on after the engine
  std::uint32_t tunnel = 0;       // the pipeline's
  std::uint32_t wire_length = 0;  // as received
};

}  // namespace linecrypt::gateway
