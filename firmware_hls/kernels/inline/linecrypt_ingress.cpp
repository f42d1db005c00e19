// The ingress chain of a bump-in-the-wire card: free-running, no registers, no memory ports.
#include "firmware_hls/kernels/inline/chains.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_ingress(Stream<PacketInfo>& in_infos, Stream<Beat>& in_beats, Stream<ConfigWord>& config,
                                  Stream<PacketInfo>& out_infos, Stream<Beat>& out_beats,
                                  Stream<abi::Response>& responses, Stream<abi::PortCounts>& receive_counts,
                                  Stream<abi::PortCounts>& transmit_counts, Stream<abi::PortCounts>& to_host_counts,
                                  Stream<u8>& exhausted) {
  LINECRYPT_CTRL_NONE
  LINECRYPT_AXIS(in_infos)
  LINECRYPT_AXIS(in_beats)
  LINECRYPT_AXIS(config)
  LINECRYPT_AXIS(out_infos)
  LINECRYPT_AXIS(out_beats)
  LINECRYPT_AXIS(responses)
  LINECRYPT_AXIS(receive_counts)
  LINECRYPT_AXIS(transmit_counts)
  LINECRYPT_AXIS(to_host_counts)
  LINECRYPT_AXIS(exhausted)
  LINECRYPT_DATAFLOW
  static Clock clock;
  static InlineIngressChain chain(clock, in_infos, in_beats, config, out_infos, out_beats, responses);
  static ports::WireOut wire(exhausted);
  tick_chain(chain, wire, receive_counts, transmit_counts, to_host_counts);
}
