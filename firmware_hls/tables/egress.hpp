// EgressBlock: the processes of an egress protocol, composed. What a protocol gives is in esp/block.hpp and
// macsec/block.hpp.
#pragma once

#include "firmware_hls/gcm/gcm.hpp"
#include "firmware_hls/gcm/splice.hpp"
#include "firmware_hls/tables/build.hpp"
#include "firmware_hls/tables/depths.hpp"
#include "firmware_hls/tables/gather.hpp"
#include "firmware_hls/tables/key_fetch.hpp"
#include "firmware_hls/tables/lookup.hpp"
#include "firmware_hls/tables/sequence.hpp"
#include "firmware_hls/tables/stats.hpp"

namespace linecrypt {
namespace firmware {

// N: SAs, a power of two. D: cycles from reading a table to a write of it being visible.
template <class Protocol, u32 N, u32 D = memory_distance>
class EgressBlock {
 public:
  static_assert((N & (N - 1)) == 0, "a power of two");
  using Packet = Meta<typename Protocol::Sa, typename Protocol::Plan>;

  EgressBlock(const Clock& clock, Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<PacketInfo>& info_out,
              Stream<Beat>& beats_out, Stream<EventWord>& events)
      : gathered_(clock, 4, latency::gather),
        body_(clock, depth::body, latency::gather),
        found_(clock, 4, latency::lookup),
        planned_(clock, 4, latency::plan),
        numbered_(clock, 4, latency::table),
        keyed_(clock, 4, latency::table),
        cut_in_(clock, 4, latency::build),
        gcm_commands_(clock, 4, latency::build),
        cut_out_(clock, depth::packets, latency::build),
        text_(clock, 4, Splice::latency()),
        sealed_(clock, depth::sealed, Gcm::text_latency()),
        tags_(clock, depth::packets, Gcm::tag_latency()),
        done_(clock, depth::packets, latency::build),
        masks_(clock, depth::events, latency::table),
        gather_(info_in, beats_in, gathered_, body_),
        lookup_(clock, gathered_, found_),
        plan_(found_, planned_),
        sequence_(clock, planned_, numbered_, masks_),
        key_fetch_(clock, numbered_, keyed_),
        build_(keyed_, cut_in_, gcm_commands_, cut_out_, done_),
        splice_in_(cut_in_, body_, text_),
        gcm_(clock, gcm_commands_, text_, sealed_, tags_),
        splice_out_(cut_out_, sealed_, tags_, beats_out),
        stats_(clock, done_, info_out),
        raise_(masks_, events),
        quiet_(0) {}

  // One cycle. The order of the calls does not matter.
  void tick() {
    LINECRYPT_DATAFLOW
    gather_.tick();
    lookup_.tick();
    plan_.tick();
    sequence_.tick();
    key_fetch_.tick();
    build_.tick();
    splice_in_.tick();
    gcm_.tick();
    splice_out_.tick();
    stats_.tick();
    raise_.tick();
  }

  // For the clocked model: false once nothing inside can move until something comes in. Call it once a cycle.
  bool busy() {
    const bool waits = gathered_.pending() + body_.pending() + found_.pending() + planned_.pending() +
                           numbered_.pending() + keyed_.pending() + cut_in_.pending() + gcm_commands_.pending() +
                           cut_out_.pending() + text_.pending() + sealed_.pending() + tags_.pending() +
                           done_.pending() + masks_.pending() !=
                       0;
    const bool works = gather_.busy() || lookup_.busy() || sequence_.busy() || key_fetch_.busy() || raise_.busy();
    quiet_ = waits || works ? 0 : quiet_ + 1;
    return quiet_ <= Gcm::text_latency() + Gcm::tag_latency();
  }

  // For the cycle model: visit(name, stream) for each FIFO.
  template <class Visitor>
  void each_fifo(Visitor&& visit) {
    visit("gathered", gathered_);
    visit("body", body_);
    visit("found", found_);
    visit("planned", planned_);
    visit("numbered", numbered_);
    visit("keyed", keyed_);
    visit("cut_in", cut_in_);
    visit("gcm_commands", gcm_commands_);
    visit("cut_out", cut_out_);
    visit("text", text_);
    visit("sealed", sealed_);
    visit("tags", tags_);
    visit("done", done_);
    visit("masks", masks_);
  }

 private:
  Stream<Packet> gathered_;
  Stream<Beat> body_;
  Stream<Packet> found_;
  Stream<Packet> planned_;
  Stream<Packet> numbered_;
  Stream<Keyed<Packet>> keyed_;
  Stream<SpliceCommand> cut_in_;
  Stream<GcmCommand> gcm_commands_;
  Stream<SpliceCommand> cut_out_;
  Stream<Beat> text_;
  Stream<Beat> sealed_;
  Stream<ap_uint<128>> tags_;
  Stream<Done> done_;
  Stream<EventMask> masks_;
  Gather<Packet, Protocol> gather_;
  Lookup<Packet, Protocol, N, D> lookup_;
  Plan<Packet, Protocol> plan_;
  Sequence<Packet, Protocol, N, D> sequence_;
  KeyFetch<Packet, Protocol, N, D> key_fetch_;
  BuildEgress<Packet, Protocol> build_;
  Splice splice_in_;
  Gcm gcm_;
  SealingSplice splice_out_;
  Stats<Protocol, D> stats_;
  RaiseEvents<Protocol> raise_;
  u32 quiet_;
};

}  // namespace firmware
}  // namespace linecrypt
