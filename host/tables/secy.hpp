// Secy: the run-time tables of one MACsec port (IEEE 802.1AE-2018 10.7): SCs, ANs, which SA transmits, and the
// standard's counters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "linecrypt/counters.hpp"
#include "linecrypt/ids.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::tables {

// Receive SCs of one SecY at most.
inline constexpr std::uint32_t receive_scs_largest = 64;

// A frame from the wire, classified before any key is used.
struct ReceiveDecision {
  SaId sa{};                           // valid: validate with it
  Verdict verdict = Verdict::pending;  // other than pending: decided, and counted, without an engine
  bool strip = false;                  // unchecked, but with a SecTAG: deliver after Secy::strip()
};

class Secy {
 public:
  Secy(const MacsecSecY& settings, Sci transmit_sci);
  ~Secy();

  // ---- control thread ----
  Result<void> add_receive_sc(Sci sci);
  Result<void> remove_receive_sc(Sci sci);
  // Publishes an installed SA under (SC, AN); what stood there is returned so that the caller can remove it from the
  // engine and absorb() its counters. An invalid id empties the place.
  Result<SaId> set_transmit_sa(std::uint8_t an, SaId id);
  Result<SaId> set_receive_sa(Sci sci, std::uint8_t an, SaId id);
  // The hitless switch: one atomic write of encodingSA. The AN must have an SA.
  Result<void> transmit_with(std::uint8_t an);
  // Adds a retired SA's counters to its SC's totals, so that totals survive rekey: after the engine removed the SA,
  // before its slot is released, once for each SA that set_transmit_sa() or set_receive_sa() returned, in that order.
  void absorb(Sci sci, const SaCounters& counters);

  // ---- worker ----
  // The current transmit SA; invalid when there is none (the frame is dropped, OutPktsNoSA).
  [[nodiscard]] SaId transmit_sa() const noexcept;
  // What 10.6 says before a key is used: VLAN tags in clear, SecTAG rules (9.5-9.9), SC and SA lookup, and what
  // validateFrames says of frames without. `frame` points at the destination address. Frames for the uncontrolled port
  // (EAPOL) were taken out before; a SecTAG with E and not C is the KaY's (macsec_kay_frame). Counts what it decides.
  [[nodiscard]] ReceiveDecision classify(const std::uint8_t* frame, std::uint32_t length) noexcept;
  // Takes SecTAG, ICV and padding off a frame that classify() said to strip (10.6.5). Its text is unchanged (C clear).
  void strip(Packet& packet) const noexcept;
  // Counts a frame under the standard's names once its verdict is known. What the SA or classify() has counted already
  // is not counted again, so it may be called for every frame.
  void count_received(Verdict verdict, std::uint32_t length) noexcept;
  void count_transmitted(Verdict verdict, std::uint32_t length) noexcept;

  [[nodiscard]] const MacsecSecY& settings() const noexcept { return settings_; }
  [[nodiscard]] Sci transmit_sci() const noexcept { return transmit_sci_; }

  // The standard's counters (10.7.9, 10.7.18), name and value, per SecY, SC and SA; live SAs included. Any thread;
  // takes a lock that the worker functions never take. `slots` is the engine's slot array. Octets are those of user
  // data.
  struct Named {
    std::string name;   // "InPktsOK"
    std::string scope;  // "secy", "tx 02:..:01/1", "rx 02:..:01/1", "rx 02:..:01/1 an 0"
    std::uint64_t value;
  };
  [[nodiscard]] std::vector<Named> counters(std::span<const SaSlot> slots) const;

 private:
  struct Impl;
  MacsecSecY settings_;
  Sci transmit_sci_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linecrypt::tables
