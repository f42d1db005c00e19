// Member: what a failover engine's control thread knows of one SA. Inside host/engines only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/engines/slot_state.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::engines {

enum class Place : std::uint8_t { primary, secondary, nowhere };

enum class Phase : std::uint8_t {
  settled,   // installed at `place` and used there, or `nowhere` until the primary is back
  asking,    // used at `place`; leaves it once it has a lease for the other side
  draining,  // held; the jobs inside `place` come out
  parked,    // in no engine; waits for a lease
};

struct Member {
  SaId id;
  Sa* sa = nullptr;  // with its key, in the arena; none: no SA here
  Direction direction = Direction::egress;
  Place place = Place::nowhere;
  Phase phase = Phase::settled;
  Place target = Place::nowhere;  // while it moves
  bool source_lost = false;       // draining: what it leaves is lost, or did not let it go
  bool pinned = false;            // stays in the secondary
  std::string reason;             // why
  std::uint64_t since_ns = 0;     // of the phase

  // ---- what moves with it ----
  CounterBase counters;  // of the engines it has left
  KeptWindow window;     // ingress; as it was when it left the last one
  bool expired = false;
  std::uint8_t said = 0;          // events that come once in an SA's life, by kind
  std::optional<Lease> lease;     // lent for the next engine, shown to none yet
  std::uint64_t lease_begin = 0;  // of the lease it works with
  std::uint64_t spent_end = 0;    // end of the last lease that any engine was shown: no number below is lent again
  bool starving = false;          // it works without a lease: none came in time
  std::uint64_t retry_ns = 0;     // parked: the secondary refused it; not before
  std::uint64_t sent_next = 0;    // one above the highest number known to be used
};

}  // namespace linecrypt::engines
