// SaPlan: what the data path must know of one installed SA beside its SaSlot: where it is on the card, what room its
// packets need, and MACsec's numbers.
//
// Written by the control thread before the slot's generation is published; fields that change later are atomics.
#pragma once

#include <atomic>
#include <cstdint>

#include "linecrypt/macsec.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::card {

// Place of an SA in the tables of its block. Generations never come twice in a session, so a packet that names an
// earlier SA of the same place gets stale_sa from the card.
struct CardPlace {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0: none
  [[nodiscard]] std::uint64_t packed() const noexcept { return std::uint64_t{generation} << 32U | index; }
  static CardPlace unpacked(std::uint64_t value) noexcept {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32U)};
  }
};

struct alignas(64) SaPlan {
  std::atomic<std::uint64_t> place{0};       // CardPlace, packed
  std::atomic<std::uint32_t> unanswered{0};  // commands of this SA that the card has not answered: jobs wait for it
  Operation operation = Operation::none;     // the one that this SA is for

  // Egress: how a packet grows.
  bool tunnel = false;
  wire::HeaderChecksum inner_checksum = wire::HeaderChecksum::verify;
  std::uint16_t front = 0;   // bytes before the data
  std::uint16_t behind = 0;  // most bytes behind it, without TFC padding
  std::uint16_t tfc_pad_to = 0;

  // ESP ingress.
  bool udp = false;
  bool esn = false;

  // MACsec.
  wire::ClearTags clear_tags;
  ValidateFrames validate = ValidateFrames::strict;
  bool xpn = false;
  bool replay_protect = false;
  std::uint32_t replay_window = 0;
  std::atomic<std::uint64_t> lowest_pn{1};
  std::uint64_t pn_soft_limit = 0;
  bool threshold_reported = false;  // the transfer thread's
};

[[nodiscard]] constexpr bool is_egress(Operation operation) noexcept {
  return operation == Operation::esp_encapsulate || operation == Operation::macsec_protect;
}

}  // namespace linecrypt::card
