// Selector and Policy (RFC 4301 4.4.1): which traffic is protected, passed or discarded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linecrypt/address.hpp"

namespace linecrypt {

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 65535;
  auto operator<=>(const PortRange&) const = default;
  [[nodiscard]] bool any() const noexcept { return first == 0 && last == 65535; }
  [[nodiscard]] bool contains(std::uint16_t port) const noexcept { return port >= first && port <= last; }
};

// "local" is the clear side of the gateway that owns the selector: source on egress, destination on ingress.
struct Selector {
  Prefix local;
  Prefix remote;
  std::optional<std::uint8_t> protocol;  // IP protocol or last IPv6 next header; none: any
  PortRange local_port;                  // ranges other than 0-65535 need protocol 6, 17, 132 or 33
  PortRange remote_port;
  auto operator<=>(const Selector&) const = default;
};

// What a selector is matched against. Ports are absent in a non-initial fragment and for protocols without them; an
// absent port matches only the range 0-65535 (RFC 4301 7).
struct TrafficKey {
  Family family = Family::ipv4;
  const std::uint8_t* local = nullptr;  // 4 or 16 bytes, network order
  const std::uint8_t* remote = nullptr;
  std::uint8_t protocol = 0;
  bool has_ports = false;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
};

[[nodiscard]] inline bool matches(const Selector& selector, const TrafficKey& key) noexcept {
  if (selector.local.address.family != key.family || selector.remote.address.family != key.family) return false;
  if (!selector.local.contains_bytes(key.local) || !selector.remote.contains_bytes(key.remote)) return false;
  if (selector.protocol && *selector.protocol != key.protocol) return false;
  if (!selector.local_port.any() && !(key.has_ports && selector.local_port.contains(key.local_port))) return false;
  return selector.remote_port.any() || (key.has_ports && selector.remote_port.contains(key.remote_port));
}

enum class PolicyAction : std::uint8_t { protect, bypass, discard };

// What a protect policy does while it has no SA: `require` discards; `request` lets clear traffic pass, counted, until
// an SA of it has carried a packet, then it is `require` for good. `request` needs allow_clear.
enum class Requirement : std::uint8_t { require, request };

struct Policy {
  std::string name;
  std::uint32_t priority = 1000;  // lower is matched first; ties in order of the file
  PolicyAction action = PolicyAction::discard;
  std::vector<Selector> selectors;  // any of them
  std::string tunnel;               // protect: the tunnel whose SAs carry it
  Requirement outbound = Requirement::require;
  Requirement inbound = Requirement::require;
  bool allow_clear = false;
};

}  // namespace linecrypt
