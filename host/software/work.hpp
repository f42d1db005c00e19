// Work: one job's current stage inside the software engine. The two protocols have the same shape:
//
//   prepare   checks the SA and the packet, writes headers, fills the AeadOp; a verdict other than pending ends the job
//   (here the provider seals or opens the whole burst)
//   finish    trailer checks, replay window, lifetimes, counters, final packet shape; gives the verdict
//
// so that a burst costs one call into the provider whatever it is made of.
#pragma once

#include <array>
#include <cstdint>

#include "host/software/aead/provider.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software {

struct alignas(64) Work {
  Job* job = nullptr;
  SaSlot* slot = nullptr;
  void* context = nullptr;    // the protocol's Context, read from the slot once: prepare and finish see the same
  Packet* packet = nullptr;   // the destination, holding the stage's input
  std::uint64_t number = 0;   // full sequence or packet number of this packet
  std::uint32_t offset = 0;   // where the stage's own header begins in the packet; the protocol's use
  std::uint32_t scratch = 0;  // the protocol's use
  std::array<std::uint8_t, 64> aad{};  // AeadOp::aad_head points here where the bytes are not together in the packet
};

}  // namespace linecrypt::software
