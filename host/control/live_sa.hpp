// LiveSa: what the control thread knows of one SA beside its slot. Small, for there may be a million.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "host/control/lease_sizer.hpp"
#include "host/control/messages.hpp"
#include "host/control/sa_control.hpp"

namespace linecrypt::control {

struct LiveSa {
  SaId id;
  Direction direction = Direction::egress;
  keys::KeyLife life = keys::KeyLife::ephemeral;
  std::unique_ptr<keys::Claim> claim;
  std::string label;
  const char* algorithm = "";
  std::uint32_t spi = 0;   // ESP
  std::optional<Sci> sci;  // MACsec
  std::uint8_t an = 0;
  std::uint32_t replay_window = 0;
  std::uint64_t born_ns = 0;
  std::unique_ptr<MessageTimes> times;  // none: it has said nothing yet
  std::string problem;                  // what is wrong now; empty: nothing

  // Lifetimes in seconds; packets and bytes are the engine's.
  std::uint64_t soft_seconds = 0;
  std::uint64_t hard_seconds = 0;
  bool soft_said = false;
  bool expired = false;

  // Egress.
  LeaseSizer sizer;
  std::uint64_t lease_size = 0;    // of the last lease granted
  std::uint64_t granted_end = 0;   // end of the last lease granted; above the SA's own: not taken yet
  std::optional<Lease> ungranted;  // lent by the registry, not taken by the engine yet
  bool wants_lease = false;
  bool starved = false;  // dropped packets since the last lease
  std::uint64_t ask_not_before_ns = 0;

  // Ingress: highest number that the journal has.
  std::uint64_t recorded_mark = 0;
};

// Everything but engine, state and age.
[[nodiscard]] SaListing listing(const LiveSa& sa);

// Everything but what only the running SA knows.
[[nodiscard]] LiveSa describe(const EspSa& sa, const std::string& label);
[[nodiscard]] LiveSa describe(const MacsecSa& sa, const std::string& label);

}  // namespace linecrypt::control
