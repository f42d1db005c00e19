// The control kernel of a bump-in-the-wire card: as the look-aside card's, and on the same registers the ports' part:
// the rings of frames, whether the ports are open, and the links. The black port's link is up while this kernel runs.
#include "firmware_hls/control/control.hpp"
#include "firmware_hls/kernels/inline/chains.hpp"
#include "firmware_hls/ports/port_control.hpp"
#include "linecrypt/abi/layout.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_control(volatile u32 registers[register_words], Memory command_memory, Memory zero_memory,
                                  Memory response_memory, Stream<ConfigWord>& egress_config,
                                  Stream<abi::Response>& egress_responses, Stream<MoverWord>& egress_batches,
                                  Stream<MoverReport>& egress_finished, Stream<ConfigWord>& ingress_config,
                                  Stream<abi::Response>& ingress_responses, Stream<MoverWord>& ingress_batches,
                                  Stream<MoverReport>& ingress_finished, Stream<ports::HostRing>& exceptions_ring,
                                  Stream<u32>& exception_tails, Stream<ports::HostRing>& injected_ring,
                                  Stream<ports::InjectedReport>& injected_reports, Stream<u8>& egress_exhausted,
                                  Stream<u8>& ingress_exhausted, Stream<u8>& clear_enabled, Stream<u8>& black_enabled,
                                  Stream<u8>& clear_link, Stream<u8>& black_link) {
  LINECRYPT_CTRL_HS
  LINECRYPT_S_AXILITE(registers)
  LINECRYPT_M_AXI(command_memory, commands)
  LINECRYPT_M_AXI(zero_memory, zeros)
  LINECRYPT_M_AXI(response_memory, responses)
  LINECRYPT_AXIS(egress_config)
  LINECRYPT_AXIS(egress_responses)
  LINECRYPT_AXIS(egress_batches)
  LINECRYPT_AXIS(egress_finished)
  LINECRYPT_AXIS(ingress_config)
  LINECRYPT_AXIS(ingress_responses)
  LINECRYPT_AXIS(ingress_batches)
  LINECRYPT_AXIS(ingress_finished)
  LINECRYPT_AXIS(exceptions_ring)
  LINECRYPT_AXIS(exception_tails)
  LINECRYPT_AXIS(injected_ring)
  LINECRYPT_AXIS(injected_reports)
  LINECRYPT_AXIS(egress_exhausted)
  LINECRYPT_AXIS(ingress_exhausted)
  LINECRYPT_AXIS(clear_enabled)
  LINECRYPT_AXIS(black_enabled)
  LINECRYPT_AXIS(clear_link)
  LINECRYPT_AXIS(black_link)
  static Clock clock;
  static ReadPort commands(clock, command_memory);
  static WritePort zeros(clock, zero_memory);
  static WritePort responses(clock, response_memory);
  static Control control(
      registers, CardFacts{card_mode, abi::feature::look_aside | abi::feature::inline_ports, sa_count, policy_entries},
      commands, zeros, responses, ControlLinks{egress_config, egress_responses, egress_batches, egress_finished},
      ControlLinks{ingress_config, ingress_responses, ingress_batches, ingress_finished});
  static ports::PortControl port_control(registers, exceptions_ring, exception_tails, injected_ring, injected_reports);
  static ports::WireIn no_egress_lease(egress_exhausted), no_ingress_ceiling(ingress_exhausted);
  static ports::WireOut clear_open(clear_enabled), black_open(black_enabled), clear_up(clear_link),
      black_up(black_link);
  for (u32 i = 0; i < Control::call_steps; ++i) {
    control.tick();
    port_control.tick(no_egress_lease.tick(), no_ingress_ceiling.tick());
    clear_open.tick(port_control.enabled());
    black_open.tick(port_control.enabled());
    clear_up.tick(port_control.clear_link_up());
    black_up.tick(true);
  }
}
