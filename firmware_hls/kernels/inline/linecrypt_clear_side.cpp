// The clear port: what its MAC receives, and what it transmits. Free-running.
#include "firmware_hls/ports/side.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_clear_side(Stream<u8>& enabled, Stream<MacWord>& receive, Stream<MacWord>& transmit,
                                     Stream<PacketInfo>& injected_infos, Stream<Beat>& injected_beats,
                                     Stream<PacketInfo>& look_aside_in_infos, Stream<Beat>& look_aside_in_beats,
                                     Stream<PacketInfo>& arrived_infos, Stream<Beat>& arrived_beats,
                                     Stream<PacketInfo>& done_infos, Stream<Beat>& done_beats,
                                     Stream<PacketInfo>& look_aside_out_infos, Stream<Beat>& look_aside_out_beats,
                                     Stream<ports::ExceptionNote>& host_notes, Stream<Beat>& host_beats,
                                     Stream<abi::PortCounts>& receive_counts, Stream<abi::PortCounts>& transmit_counts,
                                     Stream<abi::PortCounts>& to_host_counts) {
  LINECRYPT_CTRL_NONE
  LINECRYPT_AXIS(enabled)
  LINECRYPT_AXIS(receive)
  LINECRYPT_AXIS(transmit)
  LINECRYPT_AXIS(injected_infos)
  LINECRYPT_AXIS(injected_beats)
  LINECRYPT_AXIS(look_aside_in_infos)
  LINECRYPT_AXIS(look_aside_in_beats)
  LINECRYPT_AXIS(arrived_infos)
  LINECRYPT_AXIS(arrived_beats)
  LINECRYPT_AXIS(done_infos)
  LINECRYPT_AXIS(done_beats)
  LINECRYPT_AXIS(look_aside_out_infos)
  LINECRYPT_AXIS(look_aside_out_beats)
  LINECRYPT_AXIS(host_notes)
  LINECRYPT_AXIS(host_beats)
  LINECRYPT_AXIS(receive_counts)
  LINECRYPT_AXIS(transmit_counts)
  LINECRYPT_AXIS(to_host_counts)
  LINECRYPT_DATAFLOW
  static Clock clock;
  static ports::Side side(clock, static_cast<u8>(abi::clear_port), enabled, receive, transmit,
                          {injected_infos, injected_beats}, {look_aside_in_infos, look_aside_in_beats}, arrived_infos,
                          arrived_beats, done_infos, done_beats, look_aside_out_infos, look_aside_out_beats, host_notes,
                          host_beats, receive_counts, transmit_counts, to_host_counts);
  side.tick();
}
