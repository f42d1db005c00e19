// IngressBlock: the processes of an ingress protocol, composed. Text that was decrypted waits in the hold until commit
// has said what of it may leave.
#pragma once

#include "firmware_hls/gcm/gcm.hpp"
#include "firmware_hls/gcm/splice.hpp"
#include "firmware_hls/tables/build.hpp"
#include "firmware_hls/tables/commit.hpp"
#include "firmware_hls/tables/depths.hpp"
#include "firmware_hls/tables/gather.hpp"
#include "firmware_hls/tables/key_fetch.hpp"
#include "firmware_hls/tables/lookup.hpp"
#include "firmware_hls/tables/mirror.hpp"
#include "firmware_hls/tables/stats.hpp"
#include "firmware_hls/tables/tap.hpp"

namespace linecrypt {
namespace firmware {

// N: SAs, a power of two. D: cycles from reading a table to a write of it being visible.
template <class Protocol, u32 N, u32 D = memory_distance>
class IngressBlock {
 public:
  static_assert((N & (N - 1)) == 0, "a power of two");
  using Packet = Meta<typename Protocol::Sa, typename Protocol::Plan>;

  IngressBlock(const Clock& clock, Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<PacketInfo>& info_out,
               Stream<Beat>& beats_out, Stream<EventWord>& events)
      : gathered_(clock, 4, latency::gather),
        body_(clock, depth::body, latency::gather),
        found_(clock, 4, latency::lookup),
        planned_(clock, 4, latency::plan),
        numbered_(clock, 4, latency::table),
        keyed_(clock, 4, latency::table),
        tap_commands_(clock, 4, latency::build),
        cut_in_(clock, 4, latency::build),
        gcm_commands_(clock, 4, latency::build),
        inspect_commands_(clock, depth::packets, latency::build),
        waiting_(clock, depth::packets, latency::build),
        tapped_(clock, 4, latency::tap),
        received_(clock, depth::packets, latency::tap),
        text_(clock, 4, Splice::latency()),
        clear_(clock, 4, Gcm::text_latency()),
        computed_(clock, depth::packets, Gcm::tag_latency()),
        hold_(clock, depth::hold, latency::tap),
        inspections_(clock, depth::packets, latency::tap),
        judged_(clock, depth::packets, latency::judge),
        cut_out_(clock, depth::packets, latency::table),
        done_(clock, depth::packets, latency::table),
        opened_(clock, 16, latency::table),
        masks_(clock, depth::events, latency::table),
        gather_(info_in, beats_in, gathered_, body_),
        lookup_(clock, gathered_, found_),
        plan_(found_, planned_),
        mirror_(clock, planned_, numbered_, opened_),
        key_fetch_(clock, numbered_, keyed_),
        build_(keyed_, tap_commands_, cut_in_, gcm_commands_, inspect_commands_, waiting_),
        tap_(tap_commands_, body_, tapped_, received_),
        splice_in_(cut_in_, tapped_, text_),
        gcm_(clock, gcm_commands_, text_, clear_, computed_),
        inspect_(inspect_commands_, clear_, hold_, inspections_),
        judge_(waiting_, inspections_, judged_),
        commit_(clock, judged_, computed_, received_, cut_out_, done_, opened_, masks_),
        splice_out_(cut_out_, hold_, beats_out),
        stats_(clock, done_, info_out),
        raise_(masks_, events),
        alone_(0) {}

  // One cycle. While commit zeroes the windows for a sweep, which takes it many, the clocked model leaves the others
  // alone: in hardware they would do nothing.
  void tick() {
    LINECRYPT_INLINE
    if (alone_ > longest_way() && !gather_.comes()) {
      commit_.tick();
    } else {
      tick_all();
    }
  }

  // For the clocked model: false once nothing inside can move until something comes in. Call it once a cycle.
  bool busy() {
    const bool waits = gathered_.pending() + body_.pending() + found_.pending() + planned_.pending() +
                           numbered_.pending() + keyed_.pending() + tap_commands_.pending() + cut_in_.pending() +
                           gcm_commands_.pending() + inspect_commands_.pending() + waiting_.pending() +
                           tapped_.pending() + received_.pending() + text_.pending() + clear_.pending() +
                           computed_.pending() + hold_.pending() + inspections_.pending() + judged_.pending() +
                           cut_out_.pending() + done_.pending() + opened_.pending() + masks_.pending() !=
                       0;
    const bool works = gather_.busy() || lookup_.busy() || mirror_.busy() || key_fetch_.busy() || tap_.busy() ||
                       inspect_.busy() || judge_.busy() || raise_.busy();
    alone_ = waits || works ? 0 : alone_ + 1;
    return commit_.busy() || alone_ <= longest_way();
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
    visit("tap_commands", tap_commands_);
    visit("cut_in", cut_in_);
    visit("gcm_commands", gcm_commands_);
    visit("inspect_commands", inspect_commands_);
    visit("waiting", waiting_);
    visit("tapped", tapped_);
    visit("received", received_);
    visit("text", text_);
    visit("clear", clear_);
    visit("computed", computed_);
    visit("hold", hold_);
    visit("inspections", inspections_);
    visit("judged", judged_);
    visit("cut_out", cut_out_);
    visit("done", done_);
    visit("opened", opened_);
    visit("masks", masks_);
  }

 private:
  static constexpr u32 longest_way() { return Gcm::text_latency() + Gcm::tag_latency(); }

  // The order of the calls does not matter.
  void tick_all() {
    LINECRYPT_DATAFLOW
    gather_.tick();
    lookup_.tick();
    plan_.tick();
    mirror_.tick();
    key_fetch_.tick();
    build_.tick();
    tap_.tick();
    splice_in_.tick();
    gcm_.tick();
    inspect_.tick();
    judge_.tick();
    commit_.tick();
    splice_out_.tick();
    stats_.tick();
    raise_.tick();
  }

  Stream<Packet> gathered_;
  Stream<Beat> body_;
  Stream<Packet> found_;
  Stream<Packet> planned_;
  Stream<Packet> numbered_;
  Stream<Keyed<Packet>> keyed_;
  Stream<TapCommand> tap_commands_;
  Stream<SpliceCommand> cut_in_;
  Stream<GcmCommand> gcm_commands_;
  Stream<InspectCommand> inspect_commands_;
  Stream<Waiting<Packet>> waiting_;
  Stream<Beat> tapped_;
  Stream<ap_uint<128>> received_;
  Stream<Beat> text_;
  Stream<Beat> clear_;
  Stream<ap_uint<128>> computed_;
  Stream<Beat> hold_;
  Stream<Inspection> inspections_;
  Stream<Judged<Packet>> judged_;
  Stream<SpliceCommand> cut_out_;
  Stream<Done> done_;
  Stream<Opened> opened_;
  Stream<EventMask> masks_;
  Gather<Packet, Protocol> gather_;
  Lookup<Packet, Protocol, N, D> lookup_;
  Plan<Packet, Protocol> plan_;
  Mirror<Packet, Protocol, N, D> mirror_;
  KeyFetch<Packet, Protocol, N, D> key_fetch_;
  BuildIngress<Packet, Protocol> build_;
  Tap tap_;
  Splice splice_in_;
  Gcm gcm_;
  Inspect inspect_;
  Judge<Packet, Protocol> judge_;
  Commit<Packet, Protocol, N, D> commit_;
  Splice splice_out_;
  Stats<Protocol, D> stats_;
  RaiseEvents<Protocol> raise_;
  u32 alone_;  // cycles in which nothing but commit can have moved
};

}  // namespace firmware
}  // namespace linecrypt
