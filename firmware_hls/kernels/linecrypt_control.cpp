// The control kernel: started once with auto-restart, each call does Control::call_steps small steps. `registers` is
// the window of abi/registers.hpp.
#include "firmware_hls/control/control.hpp"
#include "firmware_hls/kernels/mode.hpp"
#include "linecrypt/abi/layout.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_control(volatile u32 registers[register_words], Memory command_memory, Memory zero_memory,
                                  Memory response_memory, Stream<ConfigWord>& egress_config,
                                  Stream<abi::Response>& egress_responses, Stream<MoverWord>& egress_batches,
                                  Stream<MoverReport>& egress_finished, Stream<ConfigWord>& ingress_config,
                                  Stream<abi::Response>& ingress_responses, Stream<MoverWord>& ingress_batches,
                                  Stream<MoverReport>& ingress_finished) {
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
  static Clock clock;
  static ReadPort commands(clock, command_memory);
  static WritePort zeros(clock, zero_memory);
  static WritePort responses(clock, response_memory);
  static Control control(registers, CardFacts{card_mode, abi::feature::look_aside, sa_count, 0}, commands, zeros,
                         responses, ControlLinks{egress_config, egress_responses, egress_batches, egress_finished},
                         ControlLinks{ingress_config, ingress_responses, ingress_batches, ingress_finished});
  for (u32 i = 0; i < Control::call_steps; ++i) control.tick();
}
