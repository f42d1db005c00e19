// ESP egress: clear IP packet -> ESP (RFC 4303 3.3). See host/software/work.hpp for the shape.
#pragma once

#include "host/software/aead/provider.hpp"
#include "host/software/esp/context.hpp"
#include "host/software/work.hpp"
#include "host/values/events.hpp"

namespace linecrypt::software::esp {

// pending: `op` is filled, go on. Else the job's verdict.
Verdict prepare_encapsulate(Work& work, AeadOp& op, Events& events) noexcept;
// The final verdict.
Verdict finish_encapsulate(Work& work, const AeadOp& op, Events& events) noexcept;

}  // namespace linecrypt::software::esp
