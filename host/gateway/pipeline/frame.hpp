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

// The owner sets `packet` and `buffer` before it hands a frame in; all else is the pipeline's.
struct Frame {
  Packet packet;
  Job job;
  tables::PolicyEntry* policy = nullptr;  // the protect policy whose SA carries it
  void* buffer = nullptr;                 // the owner's (an mbuf)
  std::uint64_t wire_length = 0;          // as received
  std::uint32_t tunnel = 0;               // index of the tunnel that carries it
  PortIndex in_port = no_port;            // counted there
  PortIndex out_port = no_port;
  std::uint16_t l2_length = 0;  // Ethernet and VLAN bytes at the front now
  Origin origin = Origin::wire;
  std::uint8_t step = 0;               // where to go on after the engine
  Verdict verdict = Verdict::pending;  // what it counts as once it has left
};

}  // namespace linecrypt::gateway
