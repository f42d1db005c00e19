// stats: the last process of a block. Counts each packet's verdict, answers reads of the counts, and hands the
// descriptions on.
#pragma once

#include "firmware_hls/tables/decode.hpp"
#include "firmware_hls/tables/events.hpp"
#include "firmware_hls/tables/forwarded.hpp"
#include "firmware_hls/tables/meta.hpp"

namespace linecrypt {
namespace firmware {

struct Done {
  PacketInfo info;
  bool counted;  // the packet was this block's
  abi::VerdictCode verdict;
};

constexpr u32 verdicts_per_word = 8;
constexpr u32 verdict_words = (abi::verdict_codes + verdicts_per_word - 1) / verdicts_per_word;

template <class Protocol, u32 D>
class Stats {
 public:
  Stats(const Clock& clock, Stream<Done>& in, Stream<PacketInfo>& out) : in_(in), out_(out), counts_(clock) {}

  // 1. `read` gives eight counts; `load` sets them (the sweep of a reset loads zeros).
  // 2. One more of this verdict.
  void tick() {
    LINECRYPT_PIPELINE
    counts_.tick();
    if (in_.empty() || out_.full()) return;
    Done done = in_.read();
    ConfigWord& config = done.info.config;
    // 1.
    if (is_command(done.info) && config.block == Protocol::block && config.table == abi::Table::verdicts) {
      const u32 row = config.index / verdicts_per_word;
      if (row >= verdict_words) {
        config.refused = true;
      } else if (config.op == abi::CommandOp::read) {
        config.payload = packed(counts_.read(row));
      } else if (config.op == abi::CommandOp::load) {
        counts_.write(row, unpacked(config.payload));
      }
    }
    // 2.
    if (done.info.kind == Kind::packet && done.counted) {
      const u32 code = static_cast<u32>(done.verdict);
      abi::VerdictCounts counts = counts_.read(code / verdicts_per_word);
      for (u32 i = 0; i < verdicts_per_word; ++i) {
        LINECRYPT_UNROLL
        if (i == code % verdicts_per_word) ++counts.count[i];
      }
      counts_.write(code / verdicts_per_word, counts);
    }
    out_.write(done.info);
  }

 private:
  static ap_uint<512> packed(const abi::VerdictCounts& counts) {
    ap_uint<512> word(0);
    for (u32 i = 0; i < verdicts_per_word; ++i) {
      LINECRYPT_UNROLL
      set_word_of(word, static_cast<int>(i), counts.count[i]);
    }
    return word;
  }
  static abi::VerdictCounts unpacked(const ap_uint<512>& word) {
    abi::VerdictCounts counts = {};
    for (u32 i = 0; i < verdicts_per_word; ++i) {
      LINECRYPT_UNROLL
      counts.count[i] = word_of(word, static_cast<int>(i));
    }
    return counts;
  }

  Stream<Done>& in_;
  Stream<PacketInfo>& out_;
  Forwarded<abi::VerdictCounts, verdict_words, D> counts_;
};

// events: masks of kinds to one word a kind, for the control kernel.
struct EventWord {
  u32 index;
  u32 generation;
  u8 kind;  // linecrypt::EventKind
  abi::Block block;
};

template <class Protocol>
class RaiseEvents {
 public:
  RaiseEvents(Stream<EventMask>& in, Stream<EventWord>& out) : in_(in), out_(out), left_() {}

  // The lowest kind of the mask in hand; nothing is lost while the control kernel is slow.
  void tick() {
    LINECRYPT_PIPELINE
    if (left_.kinds == 0 && !in_.empty()) left_ = in_.read();
    if (left_.kinds == 0 || out_.full()) return;
    u8 lowest = 0;
    for (u32 i = event::kinds; i > 0; --i) {
      LINECRYPT_UNROLL
      if (((left_.kinds >> (i - 1)) & 1U) != 0) lowest = static_cast<u8>(i - 1);
    }
    left_.kinds = static_cast<u8>(left_.kinds & ~(1U << lowest));
    out_.write(EventWord{left_.index, left_.generation, lowest, Protocol::block});
  }
  bool busy() const { return left_.kinds != 0; }

 private:
  Stream<EventMask>& in_;
  Stream<EventWord>& out_;
  EventMask left_;
};

}  // namespace firmware
}  // namespace linecrypt
