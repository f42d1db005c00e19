// The chains of a bump-in-the-wire card: the mode's blocks between the ports' steps.
#pragma once

#include "firmware_hls/kernels/mode.hpp"
#include "firmware_hls/ports/side.hpp"

namespace linecrypt {
namespace firmware {

constexpr u32 policy_entries = abi::policy_entries_most;
using InlineEgressChain = ports::EgressChain<EspOut, MacsecOut, policy_entries>;
using InlineIngressChain = ports::IngressChain<MacsecIn, EspIn, policy_entries>;

// One cycle of a chain's kernel: the counts that its ports send, the chain, and its wire to the control kernel.
template <class InlineChain>
void tick_chain(InlineChain& chain, ports::WireOut& exhausted, Stream<abi::PortCounts>& receive_counts,
                Stream<abi::PortCounts>& transmit_counts, Stream<abi::PortCounts>& to_host_counts) {
  LINECRYPT_INLINE
  auto& count = chain.second().second().count();
  ports::hand_on(receive_counts, count.counts(abi::PortCounter::receive));
  ports::hand_on(transmit_counts, count.counts(abi::PortCounter::transmit));
  ports::hand_on(to_host_counts, count.counts(abi::PortCounter::to_host));
  chain.tick();
  exhausted.tick(count.exhausted());
}

}  // namespace firmware
}  // namespace linecrypt
