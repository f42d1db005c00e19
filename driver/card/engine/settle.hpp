// Settle: what one stage of a finished job means for its SA: number, lease, window, lifetimes, counters, events,
// exactly as the software engine has them. The host's window is the authority; the card's word is not enough to accept
// a packet.
#pragma once

#include <cstdint>

#include "driver/card/engine/sa_plan.hpp"
#include "host/values/events.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::card {

// What the card says of the stage.
struct StageReport {
  Verdict verdict = Verdict::pending;
  std::uint64_t number = 0;
  std::uint32_t inner_length = 0;
  bool passed = false;  // egress: it consumed its number; ingress: its tag was good
};

struct Settled {
  Verdict verdict = Verdict::pending;
  const char* fault = nullptr;  // the card said what cannot be: it is not to be trusted any more
};

// `frame`: the stage's input where the host has it (the job's first stage), else null.
[[nodiscard]] Settled settle(SaSlot& slot, SaPlan& plan, const StageReport& report, const Packet* frame,
                             std::uint32_t l2_length, Events& events) noexcept;

}  // namespace linecrypt::card
