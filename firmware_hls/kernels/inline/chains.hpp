// The chains of a bump-in-the-wire card: the mode's blocks between the ports' steps.
#pragma once

#include "firmware_hls/kernels/mode.hpp"
#include "firmware_hls/ports/side.hpp"

namespace linecrypt {
namespace firmware {

constexpr u32 policy_entries = abi::policy_entries_most;
using InlineEgressChain = ports::EgressChain<EspOut, MacsecOut, policy_entries>;
using InlineIngressChain = ports::IngressChain<MacsecIn, EspIn, policy_entries>;

}  // namespace firmware
}  // namespace linecrypt
