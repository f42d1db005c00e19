// Settle: what one stage of a finished job means for its SA: number, lease, window, lifetimes, counters, events,
// exactly as the software engine has them. The host's window is the authority; the card's word is not enough to accept
// a packet.
//
// In two steps, so that what a card says wrongly leaves no trace: doubt() looks at all stages of a job and changes
// nothing; only then settle() is called for each.
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
  // Egress: it consumed its number. Ingress: its tag was good, and its number was fresh to the card's own window.
  bool passed = false;
};

// What doubt() found in the frame; settle() goes on with it.
struct StageFacts {
  bool tagged = false;  // MACsec ingress: it has a SecTAG of this SA
  wire::SecTag tag;
};

// Null, or what the card said that cannot be: it is not to be trusted any more.
// `frame`: the stage's input where the host has it (the job's first stage), else null.
[[nodiscard]] const char* doubt(const SaSlot& slot, const SaPlan& plan, const StageReport& report, const Packet* frame,
                                std::uint32_t l2_length, StageFacts& facts) noexcept;

// Precondition: doubt() of the same stage found nothing.
[[nodiscard]] Verdict settle(SaSlot& slot, SaPlan& plan, const StageReport& report, const StageFacts& facts,
                             Events& events) noexcept;

}  // namespace linecrypt::card
