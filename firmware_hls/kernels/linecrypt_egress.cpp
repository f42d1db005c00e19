// The egress chain: free-running, no registers, no memory ports.
#include "firmware_hls/kernels/mode.hpp"

using namespace linecrypt;
using namespace linecrypt::firmware;

extern "C" void linecrypt_egress(Stream<PacketInfo>& in_infos, Stream<Beat>& in_beats, Stream<ConfigWord>& config,
                                 Stream<PacketInfo>& out_infos, Stream<Beat>& out_beats,
                                 Stream<abi::Response>& responses) {
  LINECRYPT_CTRL_NONE
  LINECRYPT_AXIS(in_infos)
  LINECRYPT_AXIS(in_beats)
  LINECRYPT_AXIS(config)
  LINECRYPT_AXIS(out_infos)
  LINECRYPT_AXIS(out_beats)
  LINECRYPT_AXIS(responses)
  LINECRYPT_DATAFLOW
  static Clock clock;
  static EgressChain chain(clock, in_infos, in_beats, config, out_infos, out_beats, responses);
  chain.tick();
}
