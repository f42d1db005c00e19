// The rings of frames between a bump-in-the-wire card and its host.
#include "firmware_hls/ports/injected.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_host(Memory exceptions_memory, Memory injected_memory,
                               Stream<ports::HostRing>& exceptions_ring, Stream<u32>& exception_tails,
                               Stream<ports::HostRing>& injected_ring, Stream<ports::InjectedReport>& injected_reports,
                               Stream<ports::ExceptionNote>& egress_notes, Stream<Beat>& egress_beats,
                               Stream<ports::ExceptionNote>& ingress_notes, Stream<Beat>& ingress_beats,
                               Stream<PacketInfo>& egress_injected_infos, Stream<Beat>& egress_injected_beats,
                               Stream<PacketInfo>& ingress_injected_infos, Stream<Beat>& ingress_injected_beats) {
  LINECRYPT_CTRL_HS
  LINECRYPT_M_AXI(exceptions_memory, exceptions)
  LINECRYPT_M_AXI(injected_memory, injected)
  LINECRYPT_AXIS(exceptions_ring)
  LINECRYPT_AXIS(exception_tails)
  LINECRYPT_AXIS(injected_ring)
  LINECRYPT_AXIS(injected_reports)
  LINECRYPT_AXIS(egress_notes)
  LINECRYPT_AXIS(egress_beats)
  LINECRYPT_AXIS(ingress_notes)
  LINECRYPT_AXIS(ingress_beats)
  LINECRYPT_AXIS(egress_injected_infos)
  LINECRYPT_AXIS(egress_injected_beats)
  LINECRYPT_AXIS(ingress_injected_infos)
  LINECRYPT_AXIS(ingress_injected_beats)
  LINECRYPT_DATAFLOW
  static Clock clock;
  static WritePort exceptions(clock, exceptions_memory);
  static ReadPort injected(clock, injected_memory);
  static ports::ExceptionWriter writer(exceptions, exceptions_ring, egress_notes, egress_beats, ingress_notes,
                                       ingress_beats, exception_tails);
  static ports::InjectedReader reader(injected, injected_ring, egress_injected_infos, egress_injected_beats,
                                      ingress_injected_infos, ingress_injected_beats, injected_reports);
  writer.tick();
  reader.tick();
}
