// Chain: one direction's blocks between merge and split. Egress: esp_encapsulate, macsec_protect; ingress:
// macsec_validate, esp_decapsulate. A mode without one of them has Pass in its place.
#pragma once

#include "firmware_hls/chain/merge.hpp"
#include "firmware_hls/chain/pass.hpp"
#include "firmware_hls/esp/block.hpp"
#include "firmware_hls/macsec/block.hpp"

namespace linecrypt {
namespace firmware {

namespace depth {
// Between blocks: a block's last process may write while the next one's first is at another packet.
constexpr u32 between = 4;
}  // namespace depth

template <class First, class Second>
class Chain {
 public:
  Chain(const Clock& clock, Stream<PacketInfo>& packets_in, Stream<Beat>& beats_in, Stream<ConfigWord>& commands,
        Stream<PacketInfo>& packets_out, Stream<Beat>& beats_out, Stream<abi::Response>& responses)
      : packets_in_(packets_in),
        beats_in_(beats_in),
        commands_(commands),
        merged_(clock, depth::between),
        infos_(clock, depth::between, latency::table),
        beats_(clock, depth::between, Splice::latency()),
        done_(clock, depth::between, latency::table),
        events_first_(clock, depth::between),
        events_second_(clock, depth::between),
        merge_(packets_in, commands, merged_),
        first_(clock, merged_, beats_in, infos_, beats_, events_first_),
        second_(clock, infos_, beats_, done_, beats_out, events_second_),
        split_(done_, events_first_, events_second_, packets_out, responses),
        first_busy_(false),
        second_busy_(false) {}

  // One cycle. The order of the calls does not matter. Blocks in which nothing can move are left alone: in hardware
  // they would do nothing.
  void tick() {
    LINECRYPT_DATAFLOW
    merge_.tick();
    if (first_busy_ || merged_.pending() + beats_in_.pending() != 0) {
      first_.tick();
      first_busy_ = first_.busy();
    }
    if (second_busy_ || infos_.pending() + beats_.pending() != 0) {
      second_.tick();
      second_busy_ = second_.busy();
    }
    split_.tick();
  }
  // For the clocked model: false once nothing inside can move until something comes in.
  bool busy() const {
    return first_busy_ || second_busy_ || split_.busy() ||
           packets_in_.pending() + beats_in_.pending() + commands_.pending() + merged_.pending() + infos_.pending() +
                   beats_.pending() + done_.pending() + events_first_.pending() + events_second_.pending() !=
               0;
  }
  // For the cycle model: visit(name, stream) for each FIFO.
  template <class Visitor>
  void each_fifo(Visitor&& visit) {
    first_.each_fifo(visit);
    second_.each_fifo(visit);
  }
  u32 forced() const { return merge_.forced(); }
  // For what stands behind the chain: its last block may have more to tell than packets.
  Second& second() { return second_; }

 private:
  Stream<PacketInfo>& packets_in_;
  Stream<Beat>& beats_in_;
  Stream<ConfigWord>& commands_;
  Stream<PacketInfo> merged_;
  Stream<PacketInfo> infos_;
  Stream<Beat> beats_;
  Stream<PacketInfo> done_;
  Stream<EventWord> events_first_;
  Stream<EventWord> events_second_;
  Merge merge_;
  First first_;
  Second second_;
  Split split_;
  bool first_busy_;
  bool second_busy_;
};

}  // namespace firmware
}  // namespace linecrypt
