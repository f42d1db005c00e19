// The sweep of a reset: the commands after which no table word of an earlier session is left.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/control/facts.hpp"
#include "firmware_hls/tables/stats.hpp"

namespace linecrypt {
namespace firmware {

// Where a direction's sweep is.
struct SweepCursor {
  u32 block;  // 0, 1: the chain's first and second; 2: the in-line ports' policy and counts
  u32 stage;  // 0: entries, 1: hash buckets, 2: counts of verdicts
  u32 index;
  u32 direction;
};

inline SweepCursor first_of_sweep(u32 direction, const CardFacts&) {
  SweepCursor cursor = {};
  cursor.direction = direction;
  return cursor;
}

inline abi::Block block_of(u32 direction, u32 position) {
  if (position == 2) return direction == 0 ? abi::egress_port : abi::ingress_port;
  return static_cast<abi::Block>(direction * 2 + position);
}

// The next word of the sweep, or false: there is none left.
//
// 1. Every entry is removed: its words are zeroed, keys among them.
// 2. Ingress: every hash bucket.
// 3. The counts of verdicts.
inline bool sweep_step(SweepCursor& cursor, const CardFacts& facts, ConfigWord& word) {
  constexpr u32 positions = 3;
  while (cursor.block < positions && !has_block(facts, block_of(cursor.direction, cursor.block))) ++cursor.block;
  if (cursor.block == positions) return false;
  word = ConfigWord();
  word.block = block_of(cursor.direction, cursor.block);
  word.index = cursor.index;
  const bool ports = cursor.block == 2;  // one policy, and no hash
  u32 count = ports ? 1U : facts.sa_count;
  if (cursor.stage == 0) {
    // 1.
    word.op = abi::CommandOp::commit;
  } else {
    word.op = abi::CommandOp::load;
    word.table = cursor.stage == 1 ? abi::Table::hash : abi::Table::verdicts;
    // 3.
    if (cursor.stage == 2) {
      count = verdict_words;
      word.index = cursor.index * verdicts_per_word;
    }
  }
  ++cursor.index;
  if (cursor.index == count) {
    cursor.index = 0;
    // 2.
    cursor.stage += cursor.stage == 0 && (cursor.direction == 0 || ports) ? 2U : 1U;
    if (cursor.stage == 3) {
      cursor.stage = 0;
      ++cursor.block;
    }
  }
  return true;
}

}  // namespace firmware
}  // namespace linecrypt
