// Loaded<Words, N, D>: a table that packets only read: the host loads an entry word by word while its generation is 0,
// and a commit token gives the entry its generation, in order with the packets.
//
// Instead of forwarding 512 bytes, a commit waits until the words before it are visible, and what follows a commit
// waits until its generation is: 2 D cycles an install.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/base/pragmas.hpp"
#include "firmware_hls/base/ram.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

template <u32 Words>
struct Row {
  u8 byte[Words * abi::word_bytes];
};

template <u32 Words, u32 N, u32 D>
class Loaded {
 public:
  explicit Loaded(const Clock& clock, abi::Table table)
      : rows_(clock),
        generations_(clock),
        table_(table),
        staged_(),
        staged_index_(0),
        next_word_(0),
        settling_(0),
        closed_(0) {}

  // Once a cycle, before anything else.
  void tick() {
    LINECRYPT_INLINE
    if (settling_ != 0) --settling_;
    if (closed_ != 0) --closed_;
  }
  // May `info` be worked on in this cycle?
  bool allows(const PacketInfo& info) const {
    LINECRYPT_INLINE
    const bool commit = info.kind == Kind::command && info.config.op == abi::CommandOp::commit;
    return closed_ == 0 && !(commit && settling_ != 0);
  }
  // 0 where there is no such entry: nothing matches it.
  u32 generation(u32 index) {
    LINECRYPT_INLINE
    return index < N ? generations_.read(index) : 0U;
  }
  // Precondition: index < N.
  const Row<Words>& row(u32 index) {
    LINECRYPT_INLINE
    return rows_.read(index);
  }

  // Acts on `load` and `commit` for this block. False: refused.
  //
  // All words of an entry come in order, then its commit; the first word clears what was staged. A commit of generation
  // 0 removes: the row is zeroed. A live entry is neither loaded nor committed anew.
  bool configure(const ConfigWord& config) {
    if (config.op == abi::CommandOp::load && config.table == table_) return load(config);
    if (config.op == abi::CommandOp::commit) return commit(config);
    return true;
  }

 private:
  bool load(const ConfigWord& config) {
    if (config.index >= N || config.word >= Words || generations_.read(config.index) != 0) return false;
    if (config.word == 0) {
      clear_staged();
      staged_index_ = config.index;
      next_word_ = 0;
    }
    if (config.index != staged_index_ || config.word != next_word_) return false;
    u8 word[abi::word_bytes];
    to_bytes(config.payload, word);
    for (u32 i = 0; i < Words; ++i) {
      LINECRYPT_UNROLL
      for (u32 j = 0; j < abi::word_bytes; ++j) {
        LINECRYPT_UNROLL
        if (i == config.word) staged_.byte[i * abi::word_bytes + j] = word[j];
      }
    }
    rows_.write(config.index, staged_);
    ++next_word_;
    settling_ = D;
    return true;
  }
  bool commit(const ConfigWord& config) {
    if (config.index >= N) return false;
    if (config.generation != 0) {
      const bool whole = config.index == staged_index_ && next_word_ == Words;
      if (!whole || generations_.read(config.index) != 0) return false;
    }
    generations_.write(config.index, config.generation);
    clear_staged();
    next_word_ = 0;
    if (config.generation == 0) rows_.write(config.index, staged_);
    closed_ = D;
    return true;
  }
  void clear_staged() {
    for (u32 i = 0; i < Words * abi::word_bytes; ++i) {
      LINECRYPT_UNROLL
      staged_.byte[i] = 0;
    }
  }

  Ram<Row<Words>, N, D> rows_;
  Ram<u32, N, D> generations_;
  abi::Table table_;
  Row<Words> staged_;
  u32 staged_index_;
  u32 next_word_;
  u32 settling_;
  u32 closed_;
};

}  // namespace firmware
}  // namespace linecrypt
