// Tally: the last step of an in-line chain. Every in-line packet is counted under one verdict here, what nobody allowed
// to leave is dropped here, and the state of the leases is seen here.
#pragma once

#include "firmware_hls/ports/marks.hpp"
#include "firmware_hls/tables/depths.hpp"
#include "firmware_hls/tables/stats.hpp"
#include "linecrypt/abi/classify.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

struct EgressTally {
  static constexpr abi::Block block = abi::egress_port;

  // To the circuit: each operation has taken its number, or a bypass or an exemption says that there is none. This asks
  // the blocks, not the decision: a fault there lets no clear byte out.
  static bool may_leave(const PacketInfo& info) {
    const bool ok = info.verdict == static_cast<u8>(VerdictCode::ok);
    const bool first = info.operation[0] != abi::Operation::none;
    const bool second = info.operation[1] != abi::Operation::none;
    if (first) return ok && info.at == 2 && (info.flags & 1U) != 0 && (!second || (info.flags & 2U) != 0);
    return info.verdict == static_cast<u8>(VerdictCode::bypassed) ||
           info.verdict == static_cast<u8>(VerdictCode::exempt);
  }
};

struct IngressTally {
  static constexpr abi::Block block = abi::ingress_port;

  static bool may_leave(const PacketInfo& info) {
    return info.at == 2 && (info.verdict == static_cast<u8>(VerdictCode::ok) ||
                            info.verdict == static_cast<u8>(VerdictCode::bypassed) ||
                            info.verdict == static_cast<u8>(VerdictCode::exempt));
  }
};

// Frames that the host decides upon or answers count as punted.
inline VerdictCode counted_for_host(u8 verdict) {
  return verdict == static_cast<u8>(VerdictCode::exempt) ? VerdictCode::exempt : VerdictCode::punted;
}

template <class Direction>
class Count {
 public:
  Count(const Clock& clock, Stream<PacketInfo>& in, Stream<Done>& out, Stream<u8>& gate)
      : in_(in),
        out_(out),
        gate_(gate),
        receive_(clock, 2),
        transmit_(clock, 2),
        to_host_(clock, 2),
        counts_(),
        exhausted_(false) {}

  // 1. The newest counts of the ports; a command: `read` of them; a grant ends what its lack began.
  // 2. A packet's last verdict. What may not leave is drained.
  void tick() {
    LINECRYPT_PIPELINE
    // 1.
    listen();
    if (in_.empty() || out_.full() || gate_.full()) return;
    Done done = {};
    done.info = in_.read();
    if (is_command(done.info)) command(done.info.config);
    // 2.
    const bool beats = done.info.kind == Kind::packet && done.info.length != 0;
    if (is_in_line(done.info)) judge(done);
    if (beats) gate_.write(done.info.length != 0 ? u8{1} : u8{0});
    out_.write(done);
  }
  // A frame found its lease or accept ceiling used up, and no grant has come since.
  bool exhausted() const { return exhausted_; }
  Stream<abi::PortCounts>& counts(abi::PortCounter which) {
    return which == abi::PortCounter::receive ? receive_ : which == abi::PortCounter::transmit ? transmit_ : to_host_;
  }
  // Part of tick(); the clocked model calls it while the chain rests, too.
  void listen() {
    LINECRYPT_INLINE
    if (!receive_.empty()) counts_[0] = receive_.read();
    if (!transmit_.empty()) counts_[1] = transmit_.read();
    if (!to_host_.empty()) counts_[2] = to_host_.read();
  }
  bool listens() const { return receive_.pending() + transmit_.pending() + to_host_.pending() != 0; }

 private:
  void judge(Done& done) {
    PacketInfo& info = done.info;
    if (info.length != 0) {
      const Destination to = destination_of(info);
      const bool allowed = (to == Destination::wire && Direction::may_leave(info)) ||
                           (to == Destination::host && info.at == 2 && !is_pending(info));
      if (!allowed) end(info, VerdictCode::unsupported);
    }
    done.counted = true;
    // What a block drops has its verdict; where it agrees, the decision's counts.
    const bool agrees = info.length != 0;
    done.verdict = !agrees                                     ? static_cast<VerdictCode>(info.verdict)
                   : destination_of(info) == Destination::host ? counted_for_host(verdict_of(info))
                                                               : static_cast<VerdictCode>(verdict_of(info));
    if (done.verdict == VerdictCode::lease_exhausted) exhausted_ = true;
  }
  void command(ConfigWord& config) {
    if (config.op == abi::CommandOp::grant && !config.refused) exhausted_ = false;
    if (config.block != Direction::block) return;
    if (config.op == abi::CommandOp::commit && config.generation == 0) exhausted_ = false;
    if (config.op != abi::CommandOp::read || config.table != abi::Table::classify) return;
    const u32 which = config.index - abi::classify_counters;
    if (which >= abi::port_counters) {
      config.refused = true;
      return;
    }
    abi::PortCounts counts = {};
    for (u32 i = 0; i < abi::port_counters; ++i) {
      LINECRYPT_UNROLL
      if (i == which) counts = counts_[i];
    }
    ap_uint<512> word(0);
    set_word_of(word, 0, counts.frames);
    set_word_of(word, 1, counts.bytes);
    set_word_of(word, 2, counts.bad_fcs);
    set_word_of(word, 3, counts.oversize);
    set_word_of(word, 4, counts.no_room);
    set_word_of(word, 5, counts.closed);
    set_word_of(word, 6, counts.padded);
    config.payload = word;
  }

  Stream<PacketInfo>& in_;
  Stream<Done>& out_;
  Stream<u8>& gate_;
  Stream<abi::PortCounts> receive_;
  Stream<abi::PortCounts> transmit_;
  Stream<abi::PortCounts> to_host_;
  abi::PortCounts counts_[abi::port_counters];
  bool exhausted_;
};

// Passes a packet's beats, or drains them.
class Gate {
 public:
  Gate(Stream<u8>& passes, Stream<Beat>& in, Stream<Beat>& out)
      : passes_(passes), in_(in), out_(out), held_(false), pass_(false) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (!held_ && !passes_.empty()) {
      pass_ = passes_.read() != 0;
      held_ = true;
    }
    if (!held_ || in_.empty() || (pass_ && out_.full())) return;
    const Beat beat = in_.read();
    if (pass_) out_.write(beat);
    if (beat.last) held_ = false;
  }
  bool busy() const { return held_; }

 private:
  Stream<u8>& passes_;
  Stream<Beat>& in_;
  Stream<Beat>& out_;
  bool held_;
  bool pass_;
};

template <class Direction, u32 D = memory_distance>
class Tally {
 public:
  Tally(const Clock& clock, Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<PacketInfo>& info_out,
        Stream<Beat>& beats_out, Stream<EventWord>&)
      : gates_(clock, 8),
        done_(clock, 4, latency::table),
        count_(clock, info_in, done_, gates_),
        gate_(gates_, beats_in, beats_out),
        stats_(clock, done_, info_out) {}

  void tick() {
    LINECRYPT_DATAFLOW
    count_.tick();
    gate_.tick();
    stats_.tick();
  }
  bool busy() const { return gates_.pending() + done_.pending() != 0 || gate_.busy(); }
  Count<Direction>& count() { return count_; }

 private:
  Stream<u8> gates_;
  Stream<Done> done_;
  Count<Direction> count_;
  Gate gate_;
  Stats<Direction, D> stats_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
