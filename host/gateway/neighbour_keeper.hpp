// NeighbourKeeper: has the kernel resolve the next hops that the fast path needs, at a limited rate, and keeps them
// warm: the fast path's traffic does not tell the kernel that a neighbour is still there. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "host/gateway/runtime.hpp"

namespace linecrypt::gateway {

class NeighbourKeeper {
 public:
  // Called often; does what is due.
  void service(Runtime& runtime);

 private:
  using Time = std::chrono::steady_clock::time_point;
  void resolve(Runtime& runtime, PortIndex port, const IpAddress& address, Time now);
  void resolve_peers(Runtime& runtime, Time now);
  void confirm_stale(Runtime& runtime);

  std::map<std::pair<PortIndex, IpAddress>, Time> asked_;
  Time peers_at_{};
  Time stale_at_{};
};

}  // namespace linecrypt::gateway
