// mirror: sequence on ingress. The full number of a packet, seen from a mirror of the window's top that commit sends
// back. It decides nothing: commit checks the number again and is the only authority.
#pragma once

#include "firmware_hls/tables/decode.hpp"
#include "firmware_hls/tables/forwarded.hpp"
#include "firmware_hls/tables/loaded.hpp"
#include "firmware_hls/tables/meta.hpp"
#include "firmware_hls/tables/replay.hpp"

namespace linecrypt {
namespace firmware {

// What commit tells of a packet that was opened.
struct Opened {
  u32 index;
  u32 generation;
  u64 top;
  bool authentic;  // else its tag was wrong
  bool jumped;     // further ahead than inference alone leads
};

// What packets see of commit's state.
struct Mirrored {
  u32 generation;
  u64 top;
  u64 lowest;
  u16 failures;  // since the last authentic packet
  u8 authentic;  // counts, so that a change is seen
  u8 jumps;
};

// Finds the high half of extended numbers again after a long loss (RFC 4303 A3), as host/software/esp/resync.hpp: after
// a run of failures one packet is tried ahead of the inferred high half, and each try doubles the run that the next one
// needs.
constexpr u16 resync_run_smallest = 16;
constexpr u16 resync_run_largest = 1024;
constexpr u8 resync_ahead = 4;

struct Resync {
  u16 spent;  // failures of the run that earlier tries used up
  u16 run;
  u8 next;
  u8 authentic;
  u8 jumps;
};

inline u32 ahead(Resync& resync, const Mirrored& seen) {
  if (resync.authentic != seen.authentic) {
    resync.authentic = seen.authentic;
    resync.spent = 0;
    resync.next = 1;
  }
  if (resync.jumps != seen.jumps) {
    resync.jumps = seen.jumps;
    resync.run = resync_run_smallest;
  }
  if (static_cast<u16>(seen.failures - resync.spent) < resync.run) return 0;
  resync.spent = seen.failures;
  resync.run = resync.run >= resync_run_largest / 2 ? resync_run_largest : static_cast<u16>(resync.run * 2U);
  const u32 by = resync.next;
  resync.next = resync.next == resync_ahead ? u8{1} : static_cast<u8>(resync.next + 1U);
  return by;
}

template <class Meta, class Protocol, u32 N, u32 D>
class Mirror {
 public:
  Mirror(const Clock& clock, Stream<Meta>& in, Stream<Meta>& out, Stream<Opened>& opened)
      : in_(in),
        out_(out),
        opened_(opened),
        start_(clock, abi::Table::number),
        writer_(clock),
        reader_(clock),
        resync_(clock),
        held_(false),
        meta_() {}

  // 1. What commit tells, unless a commit token needs the table in this cycle.
  // 2. Commands; a new SA starts where it is told to.
  // 3. The packet's number.
  void tick() {
    LINECRYPT_PIPELINE
    start_.tick();
    writer_.tick();
    resync_.tick();
    if (!held_ && !in_.empty()) {
      meta_ = in_.read();
      held_ = true;
    }
    const bool ready = held_ && !out_.full() && start_.allows(meta_.info);
    const bool mine = is_command(meta_.info) && meta_.info.config.block == Protocol::block;
    // 1.
    const bool writes = ready && mine;
    if (!writes && !opened_.empty()) learn(opened_.read());
    if (!ready) return;
    held_ = false;
    // 2.
    if (mine) {
      if (!configure(meta_.info.config)) meta_.info.config.refused = true;
    } else if (meta_.mine) {
      // 3.
      number();
    }
    out_.write(meta_);
    meta_ = Meta();
  }
  bool busy() const { return held_; }

 private:
  void learn(const Opened& opened) {
    if (opened.index >= N) return;
    Mirrored mirrored = writer_.read(opened.index);
    if (mirrored.generation != opened.generation) return;
    if (opened.top > mirrored.top) mirrored.top = opened.top;
    mirrored.failures = opened.authentic ? u16{0} : static_cast<u16>(mirrored.failures + 1U);
    if (opened.authentic) mirrored.authentic = static_cast<u8>(mirrored.authentic + 1U);
    if (opened.jumped) mirrored.jumps = static_cast<u8>(mirrored.jumps + 1U);
    put(opened.index, mirrored);
  }
  void put(u32 index, const Mirrored& mirrored) {
    writer_.write(index, mirrored);
    reader_.write(index, mirrored);
  }
  // A reader that is D cycles behind is as good as a mirror that is.
  void number() {
    if (start_.generation(meta_.index) != meta_.generation) {
      drop(meta_, abi::VerdictCode::stale_sa);
      return;
    }
    const Mirrored mirrored = reader_.read(meta_.index);
    Resync resync = resync_.read(meta_.index);
    const u32 by = Protocol::resynchronises(meta_.sa) ? ahead(resync, mirrored) : 0U;
    resync_.write(meta_.index, resync);
    const Inferred inferred = Protocol::infer(meta_.sa, meta_.plan, mirrored.top, mirrored.lowest);
    meta_.number = inferred.number;
    const u64 further = static_cast<u64>(by) << 32U;
    if (inferred.exists && meta_.number <= ~u64{0} - further) meta_.number += further;
    meta_.number_verdict = !inferred.exists    ? abi::VerdictCode::replay_late
                           : meta_.number == 0 ? abi::VerdictCode::number_zero
                                               : abi::VerdictCode::pending;
    meta_.info.number[meta_.info.at & 1U] = meta_.number;
  }
  bool configure(const ConfigWord& config) {
    if (!start_.configure(config)) return false;
    if (config.op == abi::CommandOp::commit) {
      Mirrored mirrored = {};
      Resync resync = {};
      if (config.generation != 0) {
        const abi::NumberEntry entry = decode_number(start_.row(config.index).byte);
        mirrored.generation = config.generation;
        mirrored.top = entry.window_top;
        mirrored.lowest = entry.lowest;
        resync.run = resync_run_smallest;
        resync.next = 1;
      }
      put(config.index, mirrored);
      resync_.write(config.index, resync);
      return true;
    }
    if (config.op == abi::CommandOp::grant) {
      if (config.generation == 0 || start_.generation(config.index) != config.generation) return false;
      u8 payload[abi::word_bytes];
      to_bytes(config.payload, payload);
      Mirrored mirrored = writer_.read(config.index);
      const u64 lowest = little64(payload);
      if (lowest > mirrored.lowest) mirrored.lowest = lowest;
      put(config.index, mirrored);
    }
    return true;
  }

  Stream<Meta>& in_;
  Stream<Meta>& out_;
  Stream<Opened>& opened_;
  Loaded<abi::number_words, N, D> start_;
  Forwarded<Mirrored, N, D> writer_;
  Ram<Mirrored, N, D> reader_;  // a copy: a RAM has two ports
  Forwarded<Resync, N, D> resync_;
  bool held_;
  Meta meta_;
};

}  // namespace firmware
}  // namespace linecrypt
