// Engine: the one abstract class that does cryptography for SAs.
//
// Real engines: software (host/software), card (driver/card). Wrappers: delaying (host/engines) and, with the card,
// failover and fault injection. A gateway written against this contract works with all of them.
//
// Threads: open, close, install, update, remove, read, events and self_test are for one control thread; submit and poll
// for the one worker thread of the queue named. Control never stops a worker.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "linecrypt/capabilities.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/ids.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/result.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt {

using Sa = std::variant<EspSa, MacsecSa>;

enum class EventKind : std::uint8_t {
  lease_low,         // half of the lease is used: grant the next
  lease_exhausted,   // a packet was dropped for want of a lease
  soft_lifetime,     // packets or bytes
  hard_lifetime,     // the SA stopped
  pn_threshold,      // MACsec: next PN reached MacsecSecY::pn_soft_limit
  number_exhausted,  // the number space ended
  lease_wanted,      // the SA goes to another engine: what was lent stays behind, grant new numbers
};

struct Event {
  SaId sa;
  EventKind kind = EventKind::lease_low;
};

// Where packets should live for an engine to reach them without a copy.
enum class MemoryPlace : std::uint8_t { anywhere, card_shared };

// How an engine learns that a worker can no longer hold a pointer into a removed SA. Given by the host (DPDK's QSBR in
// the gateway, a function that does nothing in a single-threaded program), so that the library needs no DPDK.
struct Reclamation {
  void* self = nullptr;
  // Control thread: returns once every worker passed a quiescent point after the call began.
  void (*wait_for_workers)(void* self) = nullptr;
  // Control thread; both or none, beside wait_for_workers. begin() names this moment, passed() tells whether every
  // worker passed a quiescent point behind it; a moment behind which all passed vouches for those before it. Neither
  // waits: with them a removal does not either.
  std::uint64_t (*begin)(void* self) = nullptr;
  bool (*passed)(void* self, std::uint64_t moment) = nullptr;
};

// Time is the host's, so that a test can own it. Nanoseconds, monotonic.
struct Clock {
  void* self = nullptr;
  std::uint64_t (*now_ns)(void* self) = nullptr;
};

struct EngineSetup {
  std::span<SaSlot> slots;  // outlives the engine's open state
  std::uint32_t queues = 1;
  Reclamation reclamation{};
  Clock clock{};
  // Take the memory that SAs of all slots need at open(), not as they come: for callers that install and remove many in
  // a second. An engine that needs none of its own ignores it.
  bool reserve = false;
};

// A change to a live SA.
struct GrantLease {
  Lease lease;
};
struct Expire {};  // hard lifetime in seconds reached
struct SetPeer {   // NAT-T: the peer moved, after an authenticated packet from there (RFC 3948)
  IpAddress address;
  std::uint16_t port = 4500;
};
struct RaiseLowestPn {  // MACsec ingress: the KaY's lowest acceptable PN (802.1X 9.11)
  std::uint64_t lowest_pn = 1;
};
// Ingress, right behind install() and before any job names the SA: it comes from another engine, so numbers that
// `window` has not marked are fresh again, and not taken as seen. Only where Capabilities::window_restore says so.
struct RestoreWindow {
  const ReplayWindow* window = nullptr;
  std::uint64_t lowest_pn = 1;  // MACsec, as RaiseLowestPn
};
using SaUpdate = std::variant<GrantLease, Expire, SetPeer, RaiseLowestPn, RestoreWindow>;

// A live SA's state for listing, for the journal's ingress marks and for a move to another engine.
struct SaState {
  std::uint64_t next_number = 0;  // egress
  std::uint64_t lease_end = 0;    // egress
  std::uint64_t window_top = 0;   // ingress: highest number accepted
  bool expired = false;
  bool lease_wanted = false;  // egress: no number lent so far will be used any more (EventKind::lease_wanted)
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Constant after construction.
  [[nodiscard]] virtual const Capabilities& capabilities() const noexcept = 0;
  [[nodiscard]] virtual MemoryPlace memory() const noexcept = 0;

  // Known answers through the same code that packets take; an error names the first wrong one. Allowed before open().
  virtual Result<void> self_test() = 0;

  // Takes the slot array. Assumes nothing of an earlier user; all slots are free afterwards.
  virtual Result<void> open(const EngineSetup& setup) = 0;
  // Retires every SA, cleanses keys, forgets the slot array. No job may be in flight.
  virtual void close() = 0;

  // Installs a complete SA in the free slot id.index and publishes it under id.generation. check() is applied first.
  // The first egress lease and the ingress start come with it: `lease` for egress, `window_top` (numbers up to it count
  // as seen) for ingress. On failure nothing changed. The engine copies what it keeps; the caller's keys stay the
  // caller's.
  virtual Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) = 0;
  // Applies one change without touching packets in flight. A lease while the last is not yet taken is an error (ask
  // again later).
  virtual Result<void> update(SaId id, const SaUpdate& update) = 0;
  // Retires the SA: packets that still name it get stale_sa. Its keys are cleansed once every worker has passed a
  // quiescent point: where Reclamation can only wait, before this returns; else at the latest in the first call of
  // install, update, remove, events or close behind that, so that no removal waits. Until then a burst that found the
  // SA before may still finish with it; install() into its slot waits where it must. The slot's numbers and counters
  // stay readable until then.
  virtual Result<void> remove(SaId id) = 0;
  [[nodiscard]] virtual Result<SaState> read(SaId id) const = 0;

  // Accepts the first n jobs (returned; may be 0) and never blocks. A job whose verdict is not `pending` afterwards is
  // done and does not come from poll(); the others do, each exactly once, in order per SA.
  // engine_lost: the engine is gone and has left the job's packets as they were submitted; numbers may be spent.
  virtual std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) = 0;
  // Finished jobs into `done`; returns how many.
  virtual std::uint32_t poll(QueueId queue, std::span<Job*> done) = 0;

  // Moves out events raised since the last call; returns how many. Bursts of one kind for one SA come once.
  virtual std::uint32_t events(std::span<Event> out) = 0;
};

}  // namespace linecrypt
