// GatewaySide: a whole pipeline in memory, frames from the wire of one port to the wire of the other.
#pragma once

#include <cstdint>
#include <memory>

#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"

namespace linecrypt::bench {

struct GatewaySettings {
  Direction direction = Direction::egress;  // egress: clear port to black port
  bool macsec = false;                      // on the black port, around ESP
  std::uint32_t key_bits = 128;
  std::uint32_t size = 64;  // of the clear IP packet
  std::uint32_t burst = 32;
  bool spoil_result = false;  // a planted fault, for the second check() to find
};

// `engine` works in the pipeline; `helper` makes the frames that come from the circuit, and opens those that go there.
// Both are closed.
Result<std::unique_ptr<Side>> make_gateway_side(std::unique_ptr<Engine> engine, std::unique_ptr<Engine> helper,
                                                const GatewaySettings& settings);

}  // namespace linecrypt::bench
