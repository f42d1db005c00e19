// The sweep of a reset: the commands after which no table word of an earlier session is left.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/control/facts.hpp"
#include "firmware_hls/tables/stats.hpp"

namespace linecrypt {
namespace firmware {

// Where a direction's sweep is.
struct SweepCursor {
  u32 stage;  // 0: entries, 1: hash buckets, 2: counts of verdicts, 3: replay windows
  u32 block;  // 0, 1: the chain's first and second; 2: the in-line ports' policy and counts; each stage begins with 2
  u32 index;
  u32 direction;
};
constexpr u32 sweep_stages = 4;

inline SweepCursor first_of_sweep(u32 direction) {
  SweepCursor cursor = {};
  cursor.direction = direction;
  cursor.block = 2;
  return cursor;
}

inline abi::Block block_of(u32 direction, u32 position) {
  if (position == 2) return direction == 0 ? abi::egress_port : abi::ingress_port;
  return static_cast<abi::Block>(direction * 2 + position);
}

// The words of a block in one stage.
inline u32 sweep_count(const SweepCursor& cursor, const CardFacts& facts) {
  if (!has_block(facts, block_of(cursor.direction, cursor.block))) return 0;
  const bool ports = cursor.block == 2;  // one policy, no hash, no windows
  const bool ingress = cursor.direction != 0;
  switch (cursor.stage) {
    case 0:
      return ports ? 1U : facts.sa_count;
    case 1:
      return ingress && !ports ? facts.sa_count : 0U;
    case 2:
      return verdict_words;
    default:
      return ingress && !ports ? 1U : 0U;
  }
}

// One step of the sweep: its next word, or one with op none where a block's or a stage's words have ended. False: there
// is none left.
//
// 1. Every entry is removed: its words are zeroed, keys among them.
// 2. Ingress: every hash bucket.
// 3. The counts of verdicts.
// 4. Ingress: the replay windows. The chain's second block has its word first, so that both zero theirs at once.
inline bool sweep_step(SweepCursor& cursor, const CardFacts& facts, ConfigWord& word) {
  word = ConfigWord();
  if (cursor.stage == sweep_stages) return false;
  if (cursor.index == sweep_count(cursor, facts)) {
    cursor.index = 0;
    cursor.stage += cursor.block == 0 ? 1U : 0U;
    cursor.block = cursor.block == 0 ? 2U : cursor.block - 1U;
    return true;
  }
  word.block = block_of(cursor.direction, cursor.block);
  word.index = cursor.index;
  switch (cursor.stage) {
    case 0:  // 1.
      word.op = abi::CommandOp::commit;
      break;
    case 1:  // 2.
      word.op = abi::CommandOp::load;
      word.table = abi::Table::hash;
      break;
    case 2:  // 3.
      word.op = abi::CommandOp::load;
      word.table = abi::Table::verdicts;
      word.index = cursor.index * verdicts_per_word;
      break;
    default:  // 4.
      word.op = sweep_op;
      break;
  }
  ++cursor.index;
  return true;
}

}  // namespace firmware
}  // namespace linecrypt
