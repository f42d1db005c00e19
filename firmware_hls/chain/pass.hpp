// Pass: a block that does nothing, where a card's mode leaves one out.
#pragma once

#include "firmware_hls/base/beat.hpp"
#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/base/stream.hpp"
#include "firmware_hls/tables/stats.hpp"

namespace linecrypt {
namespace firmware {

class Pass {
 public:
  Pass(const Clock&, Stream<PacketInfo>& info_in, Stream<Beat>& beats_in, Stream<PacketInfo>& info_out,
       Stream<Beat>& beats_out, Stream<EventWord>&)
      : info_in_(info_in), beats_in_(beats_in), info_out_(info_out), beats_out_(beats_out) {}

  void tick() {
    LINECRYPT_PIPELINE
    if (!info_in_.empty() && !info_out_.full()) info_out_.write(info_in_.read());
    if (!beats_in_.empty() && !beats_out_.full()) beats_out_.write(beats_in_.read());
  }
  bool busy() const { return false; }
  template <class Visitor>
  void each_fifo(Visitor&&) {}

 private:
  Stream<PacketInfo>& info_in_;
  Stream<Beat>& beats_in_;
  Stream<PacketInfo>& info_out_;
  Stream<Beat>& beats_out_;
};

}  // namespace firmware
}  // namespace linecrypt
