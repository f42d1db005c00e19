// ESP egress: clear IP packet -> ESP (RFC 4303 3.3). See host/software/work.hpp for the shape.
#pragma once

#include "host/software/aead/provider.hpp"
#include "host/software/esp/context.hpp"
#include "host/software/work.hpp"
#include "host/values/events.hpp"

namespace linecrypt::software::esp {

// pending: `op` is filled, go on. Else the job's verdict.
Verdict prepare_encapsulate(Work& work, AeadOp& op, Events& events) noexcept;
// Behind the cipher, for packets that prepare_encapsulate() left something to do: their Work::scratch is 1.
Verdict finish_udp_checksum(Work& work) noexcept;
// The final verdict.
inline Verdict finish_encapsulate(Work& work) noexcept {
  return work.scratch == 0 ? Verdict::ok : finish_udp_checksum(work);
}

}  // namespace linecrypt::software::esp
