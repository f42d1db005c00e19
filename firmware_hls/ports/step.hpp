// Step: a place in a chain where in-line packets are decided upon. It has a block's form, so that a chain is composed
// of steps and blocks alike; look-aside packets and others' commands pass unchanged, in order.
//
//     gather -> decide -> splice
#pragma once

#include "firmware_hls/gcm/splice.hpp"
#include "firmware_hls/ports/marks.hpp"
#include "firmware_hls/tables/build.hpp"
#include "firmware_hls/tables/depths.hpp"
#include "firmware_hls/tables/gather.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

// What gather makes of a packet; `index` and what else a block's lookup would use are not looked at.
struct Front {
  PacketInfo info;
  bool mine;
  bool counted;
  u16 body;
  u32 index;
  u32 generation;
  Window window;
};
struct FrontProtocol {
  static constexpr abi::Operation operation = abi::Operation::none;
};

// Decider gives: block; mine(info): is this its packet; decide(policy, front): changes front.info and says how the
// frame is written anew (Course::cut, unless it keeps).
template <class Decider, u32 N>
class Decide {
 public:
  Decide(Stream<Front>& in, Stream<PacketInfo>& out, Stream<SpliceCommand>& cuts) : in_(in), out_(out), cuts_(cuts) {}

  // 1. The policy's words.
  // 2. A frame of this step's: where it goes.
  // 3. All else passes unchanged; what was dropped here is drained.
  void tick() {
    LINECRYPT_PIPELINE
    if (in_.empty() || out_.full() || cuts_.full()) return;
    Front front = in_.read();
    Cut cut = {};
    cut.keep = front.body;
    if (is_command(front.info)) {
      // 1.
      if (!table_.configure(front.info.config, Decider::block)) front.info.config.refused = true;
    } else if (is_in_line(front.info) && Decider::mine(front.info)) {
      // 2.
      const Course course = Decider::decide(table_.live(), front);
      if (!course.keeps) cut = course.cut;
    }
    // 3.
    if (front.info.length == 0) cut = Cut();
    if (front.body != 0) cuts_.write(splice_command(cut));
    out_.write(front.info);
  }
  const Policy<N>& policy() const { return table_.live(); }

 private:
  Stream<Front>& in_;
  Stream<PacketInfo>& out_;
  Stream<SpliceCommand>& cuts_;
  PolicyTable<N> table_;
};

template <class Decider, u32 N>
class Step {
 public:
  Step(const Clock& clock, Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<PacketInfo>& info_out,
       Stream<Beat>& beats_out, Stream<EventWord>&)
      : gathered_(clock, 4, latency::gather),
        body_(clock, depth::body, latency::gather),
        cuts_(clock, 4, latency::plan),
        gather_(info_in, beats_in, gathered_, body_),
        decide_(gathered_, info_out, cuts_),
        splice_(cuts_, body_, beats_out),
        beats_out_(beats_out),
        quiet_(0) {}

  void tick() {
    LINECRYPT_DATAFLOW
    gather_.tick();
    decide_.tick();
    splice_.tick();
  }
  // As a block's. Beats that the next one does not take wait inside splice, where nobody counts them.
  bool busy() {
    const bool waits =
        gathered_.pending() + body_.pending() + cuts_.pending() != 0 || gather_.busy() || beats_out_.full();
    quiet_ = waits ? 0 : quiet_ + 1;
    return quiet_ <= 4 * Splice::latency();
  }

 private:
  Stream<Front> gathered_;
  Stream<Beat> body_;
  Stream<SpliceCommand> cuts_;
  Gather<Front, FrontProtocol> gather_;
  Decide<Decider, N> decide_;
  Splice splice_;
  Stream<Beat>& beats_out_;
  u32 quiet_;
};

// Two blocks (or steps) as one.
template <class First, class Second>
class Series {
 public:
  Series(const Clock& clock, Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<PacketInfo>& info_out,
         Stream<Beat>& beats_out, Stream<EventWord>& events)
      : infos_(clock, 4, latency::table),
        beats_(clock, 4, Splice::latency()),
        info_in_(info_in),
        beats_in_(beats_in),
        first_(clock, info_in, beats_in, infos_, beats_, events),
        second_(clock, infos_, beats_, info_out, beats_out, events),
        first_busy_(false),
        second_busy_(false) {}

  void tick() {
    LINECRYPT_DATAFLOW
    if (first_busy_ || info_in_.pending() + beats_in_.pending() != 0) {
      first_.tick();
      first_busy_ = first_.busy();
    }
    if (second_busy_ || infos_.pending() + beats_.pending() != 0) {
      second_.tick();
      second_busy_ = second_.busy();
    }
  }
  bool busy() const { return first_busy_ || second_busy_ || infos_.pending() + beats_.pending() != 0; }
  First& first() { return first_; }
  Second& second() { return second_; }

 private:
  Stream<PacketInfo> infos_;
  Stream<Beat> beats_;
  Stream<PacketInfo>& info_in_;
  Stream<Beat>& beats_in_;
  First first_;
  Second second_;
  bool first_busy_;
  bool second_busy_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
