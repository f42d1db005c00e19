// MacsecJob: one frame on its way through the engine, from an mbuf and back into it.
//
// The ICV does not cover VLAN tags in clear, so the engine never sees them: begin takes them out (addresses move up to
// the SecTAG), finish puts them back. A job that was begun and did not get into the engine is undone, so that the frame
// is whole again.
#pragma once

#include <array>
#include <cstdint>

#include "driver/dpdk/common/bounce.hpp"
#include "driver/dpdk/net/macsec_sessions.hpp"
#include "linecrypt/packet.hpp"

struct rte_mbuf;

namespace linecrypt::dpdk {

struct MacsecJob {
  Job job;
  Packet source;
  MacsecSession* session = nullptr;
  std::uint32_t generation = 0;  // the session's, when the job was begun
  std::uint32_t queue = 0;       // the engine's queue that the job is for
  rte_mbuf* mbuf = nullptr;
  std::uint8_t* bounce = nullptr;  // the frame is here meanwhile
  bool flagged = false;            // dropped by MACsec, and to be delivered all the same: its text is zero
  bool egress = false;
  bool rekey = false;  // the session's
  ValidateFrames validate = ValidateFrames::strict;
  std::uint8_t place = 0;
  std::uint8_t tag_count = 0;  // VLAN tags taken out
  std::array<std::uint8_t, wire::macsec_clear_tags_largest * wire::vlan_tag_size> tags{};
  std::uint64_t planned = 0;  // egress, see MacsecPlace
};

enum class MacsecBegin : std::uint8_t {
  ready,      // submit `job` on engine queue `queue`
  pass,       // ingress: deliver the mbuf as it is now; egress: the session does not protect, send it as it is
  drop,       // refused and counted: the caller frees the mbuf
  no_bounce,  // come again when packets have come out; nothing was changed
};

// The worker of engine queue `mine`, no lock held.
MacsecBegin begin_macsec_tx(MacsecJob& macsec, MacsecSessions& sessions, rte_mbuf* mbuf, std::uint32_t mine,
                            BounceRing& bounces) noexcept;
MacsecBegin begin_macsec_rx(MacsecJob& macsec, MacsecSessions& sessions, rte_mbuf* mbuf, std::uint32_t mine,
                            BounceRing& bounces) noexcept;

// The job was not submitted: the mbuf is as it was. A bounce buffer is the caller's to give back (BounceRing::untake).
void undo_macsec(MacsecJob& macsec) noexcept;

// Egress SAs live by leases: what is to be renewed once the queue's lock is released.
struct MacsecRenewal {
  SaId sa{};
  MacsecPlace* place = nullptr;
};
// Holding the lock of the engine queue `queue`, for each job that submit() has taken. True: call renew_macsec().
[[nodiscard]] bool macsec_lease_due(const MacsecJob& macsec, MacsecRenewal& out) noexcept;
// No lock held.
void renew_macsec(const MacsecRenewal& renewal, DeviceContext& device) noexcept;

enum class MacsecEnd : std::uint8_t {
  good,  // the mbuf is the frame, its flags are set
  drop,  // counted: the caller frees the mbuf; but with `flagged` it is delivered: its flags are set
};
// Holding the lock of the engine queue `queue`, after the verdict.
MacsecEnd finish_macsec(MacsecJob& macsec) noexcept;

}  // namespace linecrypt::dpdk
