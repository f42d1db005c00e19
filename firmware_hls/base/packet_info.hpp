// What travels beside the beats of a packet through the blocks of a chain, and the commands among them: a command holds
// its place between two packets, so every process acts on it at the same point of the stream (the commit token).
#pragma once

#include <cstdint>

#include "firmware_hls/base/ap_uint.hpp"
#include "linecrypt/abi/rings.hpp"

namespace linecrypt {
namespace firmware {

enum class Kind : std::uint8_t { packet = 0, command = 1 };

// The control kernel's own command, which it takes from no host: a block zeroes all that its removed SAs have left, the
// words of the replay windows. It holds the packets behind it up for as long as that takes.
constexpr abi::CommandOp sweep_op = static_cast<abi::CommandOp>(7);

// abi::Command without the epoch, which the control kernel has checked.
struct ConfigWord {
  std::uint32_t cookie;
  abi::CommandOp op;
  abi::Block block;
  abi::Table table;
  std::uint8_t word;
  std::uint32_t index;
  std::uint32_t generation;
  std::uint32_t respond;
  bool refused;  // set by the table owner that did not take it
  ap_uint<512> payload;
};

struct PacketInfo {
  Kind kind;
  // kind packet
  std::uint32_t cookie;
  std::uint16_t length;  // bytes in the stream of beats; 0: none follow, the packet was dropped
  std::uint16_t l2_length;
  abi::Operation operation[2];
  abi::JobStage stage[2];
  std::uint8_t at;             // the stage to do next: 0, 1; 2 when all are done
  std::uint8_t verdict;        // linecrypt::Verdict
  std::uint8_t verdict_stage;  // as abi::Completion, the fields below too
  std::uint64_t number[2];
  std::uint32_t inner_length[2];
  std::uint8_t flags;
  std::uint8_t port;    // in-line: where it came in
  std::uint64_t place;  // the movers' own word: where the output goes
  // kind command; no beats follow
  ConfigWord config;
};

}  // namespace firmware
}  // namespace linecrypt
