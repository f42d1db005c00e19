// The movers of both directions. Each memory argument is a port of its own: descriptors and completions do not take
// cycles from packets.
#include "firmware_hls/dma/mover.hpp"
#include "firmware_hls/kernels/mode.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_dma(Memory egress_ring, Memory egress_descriptors, Memory egress_packets,
                              Memory egress_results, Memory egress_completions, Memory ingress_ring,
                              Memory ingress_descriptors, Memory ingress_packets, Memory ingress_results,
                              Memory ingress_completions, Stream<MoverWord>& egress_batches,
                              Stream<MoverReport>& egress_finished, Stream<PacketInfo>& egress_out_infos,
                              Stream<Beat>& egress_out_beats, Stream<PacketInfo>& egress_in_infos,
                              Stream<Beat>& egress_in_beats, Stream<MoverWord>& ingress_batches,
                              Stream<MoverReport>& ingress_finished, Stream<PacketInfo>& ingress_out_infos,
                              Stream<Beat>& ingress_out_beats, Stream<PacketInfo>& ingress_in_infos,
                              Stream<Beat>& ingress_in_beats) {
  LINECRYPT_CTRL_HS
  LINECRYPT_M_AXI(egress_ring, egress_ring)
  LINECRYPT_M_AXI(egress_descriptors, egress_descriptors)
  LINECRYPT_M_AXI(egress_packets, egress_packets)
  LINECRYPT_M_AXI(egress_results, egress_results)
  LINECRYPT_M_AXI(egress_completions, egress_completions)
  LINECRYPT_M_AXI(ingress_ring, ingress_ring)
  LINECRYPT_M_AXI(ingress_descriptors, ingress_descriptors)
  LINECRYPT_M_AXI(ingress_packets, ingress_packets)
  LINECRYPT_M_AXI(ingress_results, ingress_results)
  LINECRYPT_M_AXI(ingress_completions, ingress_completions)
  LINECRYPT_AXIS(egress_batches)
  LINECRYPT_AXIS(egress_finished)
  LINECRYPT_AXIS(egress_out_infos)
  LINECRYPT_AXIS(egress_out_beats)
  LINECRYPT_AXIS(egress_in_infos)
  LINECRYPT_AXIS(egress_in_beats)
  LINECRYPT_AXIS(ingress_batches)
  LINECRYPT_AXIS(ingress_finished)
  LINECRYPT_AXIS(ingress_out_infos)
  LINECRYPT_AXIS(ingress_out_beats)
  LINECRYPT_AXIS(ingress_in_infos)
  LINECRYPT_AXIS(ingress_in_beats)
  LINECRYPT_DATAFLOW
  static Clock clock;
  static ReadPort ring0(clock, egress_ring), descriptors0(clock, egress_descriptors), packets0(clock, egress_packets);
  static WritePort results0(clock, egress_results), completions0(clock, egress_completions);
  static ReadPort ring1(clock, ingress_ring), descriptors1(clock, ingress_descriptors),
      packets1(clock, ingress_packets);
  static WritePort results1(clock, ingress_results), completions1(clock, ingress_completions);
  static Mover egress(clock, MoverPorts{ring0, descriptors0, packets0, results0, completions0},
                      operations_of(card_mode, abi::Direction::egress), egress_batches, egress_out_infos,
                      egress_out_beats, egress_in_infos, egress_in_beats, egress_finished);
  static Mover ingress(clock, MoverPorts{ring1, descriptors1, packets1, results1, completions1},
                       operations_of(card_mode, abi::Direction::ingress), ingress_batches, ingress_out_infos,
                       ingress_out_beats, ingress_in_infos, ingress_in_beats, ingress_finished);
  egress.tick();
  ingress.tick();
}
