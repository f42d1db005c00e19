// KernelTables: addresses, routes and neighbours that the kernel holds for the companion TAPs, for the fast path's Fib.
// Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/gateway/kernel/netlink.hpp"
#include "host/gateway/pipeline/fib.hpp"
#include "linecrypt/address.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

// Which netdev index is which port's companion.
struct CompanionIndex {
  int netdev = 0;
  PortIndex port = no_port;
};

class KernelTables {
 public:
  static Result<KernelTables> open(std::vector<CompanionIndex> companions);

  // Wait for reading on it; then call changed().
  [[nodiscard]] int descriptor() const noexcept { return watch_.descriptor(); }
  // What notifications say since the last call. After a loss (ENOBUFS) everything counts as changed.
  struct Changes {
    bool tables = false;      // addresses, routes or neighbours: read() again
    bool forwarding = false;  // some netdev's forwarding: look at the companions again
  };
  [[nodiscard]] Changes changed();

  // Everything the kernel holds for the companions: addresses (v4 and v6, link-local ones too), unicast routes of the
  // main table, neighbours with a known MAC.
  Result<FibInput> read();

  // Asks the kernel to resolve, or to confirm, a neighbour (as `ip neigh add ... use` does).
  Result<void> resolve(PortIndex port, const IpAddress& address);
  // Neighbours whose MAC is known but not confirmed lately, from the last read().
  [[nodiscard]] std::span<const FibNeighbour> stale() const noexcept { return stale_; }

 private:
  KernelTables(std::vector<CompanionIndex> companions, Netlink watch, Netlink ask)
      : companions_(std::move(companions)), watch_(std::move(watch)), ask_(std::move(ask)) {}
  [[nodiscard]] PortIndex port_of(int netdev) const noexcept;
  [[nodiscard]] bool concerns_us(const nlmsghdr& message) const;
  Result<void> read_addresses(FibInput& input);
  Result<void> read_routes(FibInput& input);
  Result<void> read_neighbours(FibInput& input);

  std::vector<CompanionIndex> companions_;
  Netlink watch_;
  Netlink ask_;
  std::vector<FibNeighbour> stale_;
};

}  // namespace linecrypt::gateway::kernel
