// What the two owners of numbers, sequence on egress and commit on ingress, do alike with a command.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/tables/decode.hpp"
#include "firmware_hls/tables/lifetime.hpp"

namespace linecrypt {
namespace firmware {

// Does the command, other than a commit, act on the numbers of its SA?
inline bool touches_numbers(const ConfigWord& config) {
  return config.op == abi::CommandOp::grant || config.op == abi::CommandOp::expire ||
         (config.op == abi::CommandOp::read && config.table == abi::Table::none);
}

// Stops the SA on the host's word, who needs no event for it.
inline void expire(Life& life) {
  life.expired = true;
  life.hard_reported = true;
}

// abi::SaState.
inline ap_uint<512> state_word(u64 number, u64 end, const Life& life, bool lease_waits) {
  u8 payload[abi::word_bytes];
  for (u32 i = 0; i < abi::word_bytes; ++i) payload[i] = 0;
  put_little64(payload, number);
  put_little64(payload + 8, end);
  put_little64(payload + 16, life.packets);
  put_little64(payload + 24, life.bytes);
  put_little64(payload + 32, (life.expired ? 1U : 0U) | (lease_waits ? 2U : 0U));
  return from_bytes<512>(payload);
}

}  // namespace firmware
}  // namespace linecrypt
