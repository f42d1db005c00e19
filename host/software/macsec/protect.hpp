// MACsec egress: Ethernet frame -> frame with SecTAG and ICV (IEEE 802.1AE-2018 10.5). See host/software/work.hpp for
// the shape.
#pragma once

#include "host/software/aead/provider.hpp"
#include "host/software/macsec/context.hpp"
#include "host/software/work.hpp"
#include "host/values/events.hpp"

namespace linecrypt::software::macsec {

// pending: `op` is filled, and behind the cipher nothing is left to do. Else the job's verdict.
Verdict prepare_protect(Work& work, AeadOp& op, Events& events) noexcept;

}  // namespace linecrypt::software::macsec
