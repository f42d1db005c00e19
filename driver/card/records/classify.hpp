// What the driver loads into a bump-in-the-wire card: the gateway's policies, ports and addresses as the words of
// abi/classify.hpp. Pure: no card is touched here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linecrypt/abi/classify.hpp"
#include "linecrypt/abi/registers.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/ids.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/policy.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::card {

// An address of a port, with the length of the network on its link.
struct InlineAddress {
  IpAddress address;
  std::uint8_t length = 0;
};

struct InlinePort {
  MacAddress mac;
  std::optional<MacAddress> next_hop;  // of the one neighbour that gets what is forwarded; none: not resolved yet
  std::uint32_t mtu = 1500;
  std::vector<ClearVlanTag> vlan;
  std::vector<InlineAddress> addresses;
  // Black side only.
  std::vector<std::uint16_t> udp_ports;  // where UDP encapsulated ESP arrives
  std::optional<MacsecSecY> secy;
  SaId macsec_sa;  // transmits; not valid: there is none yet
};

// A tunnel that policies name.
struct InlineTunnel {
  std::string name;
  EspMode mode = EspMode::tunnel;
  SaId egress_sa;                   // not valid: there is none, and its packets are dropped
  std::uint32_t largest_clear = 0;  // bytes of the largest clear packet that fits its path; 0: the black port's MTU
};

struct InlineGateway {
  std::array<InlinePort, abi::inline_port_count> ports;  // clear, black
  std::vector<Policy> policies;
  std::vector<InlineTunnel> tunnels;
};

// The commands that publish all of it in one direction (abi::egress_port or abi::ingress_port), in order; the last one
// responds. `entries` is the card's register classify_count; `generation` is any number but 0. Epoch and cookie are the
// writer's. An error names what the card cannot say, and what it can.
Result<std::vector<abi::Command>> classify_commands(const InlineGateway& gateway, abi::CardMode mode,
                                                    std::uint32_t entries, abi::Block direction,
                                                    std::uint32_t generation);

// Nothing passes in this direction any more.
[[nodiscard]] abi::Command close_command(abi::Block direction) noexcept;

}  // namespace linecrypt::card
