// Meta: what a block knows of one packet, handed from process to process beside the packet's beats.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/tables/window.hpp"
#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {
namespace firmware {

// `Sa` is what the protocol's record says, `Plan` what its plan step found.
template <class Sa, class Plan>
struct Meta {
  PacketInfo info;
  bool mine;     // a packet for this block, with its SA's verdict still open; all else passes unchanged
  bool counted;  // it was for this block when it came: statistics count its verdict
  u16 body;      // bytes of it in the stream of beats
  u32 index;
  u32 generation;
  Window window;
  Sa sa;
  Plan plan;
  u64 number;
  u16 identification;               // egress
  abi::VerdictCode number_verdict;  // ingress: what is wrong with the number; counts behind an expired SA
};

inline bool is_command(const PacketInfo& info) {
  return info.kind == Kind::command;
}
inline bool is_command(const PacketInfo& info, abi::Block block, abi::CommandOp op) {
  return info.kind == Kind::command && info.config.block == block && info.config.op == op;
}

inline bool has_verdict(const PacketInfo& info) {
  return info.verdict != static_cast<u8>(abi::VerdictCode::pending);
}

// The packet ends here under `verdict`; nothing of it leaves the block.
template <class M>
void drop(M& meta, abi::VerdictCode verdict) {
  meta.mine = false;
  meta.info.verdict = static_cast<u8>(verdict);
  meta.info.verdict_stage = meta.info.at;
  meta.info.length = 0;
}

// This stage is done; `verdict` is the packet's if there is no stage behind it.
inline void finish_stage(PacketInfo& info, abi::VerdictCode verdict) {
  const bool last = info.at != 0 || info.operation[1] == abi::Operation::none;
  info.verdict_stage = info.at;
  info.at = static_cast<u8>(info.at + 1U);
  if (last) {
    info.at = 2;
    info.verdict = static_cast<u8>(verdict);
  }
}

}  // namespace firmware
}  // namespace linecrypt
