// Readers of small values that several sections share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/config/section.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/policy.hpp"

namespace linecrypt::config {

// A section's own name: letters, digits, '.', '_', '-', at most 32, a letter or digit first.
bool read_name(Section& section, std::string& out, Need need = Need::required);
// The kernel's rule for a network device: 1 to 15 characters of those.
[[nodiscard]] bool is_netdev_name(std::string_view name);
// domain:bus:device.function, lower case
[[nodiscard]] Result<std::string> parse_pci_address(std::string_view text);
[[nodiscard]] bool is_absolute_path(std::string_view path);
bool read_absolute_path(Section& section, std::string_view key, std::string& out);

// "02:00:00:00:00:01/1"
[[nodiscard]] Result<Sci> parse_sci(std::string_view text);
// An address of a host: "10.0.0.1".
[[nodiscard]] Result<IpAddress> parse_host(std::string_view text);
// A host's address with its network's length: "10.0.0.1/24".
struct HostPrefix {
  IpAddress address;
  std::uint8_t length = 0;
};
[[nodiscard]] Result<HostPrefix> parse_host_prefix(std::string_view text);
// Neither group nor zero.
[[nodiscard]] Result<MacAddress> parse_unicast_mac(std::string_view text);

// [{tpid = 0x8100, vid = 100}], at most two, the outer one first.
std::vector<ClearVlanTag> read_vlan_tags(Section& section, std::string_view key);
[[nodiscard]] std::string vlan_text(const std::vector<ClearVlanTag>& tags);

// local_networks, remote_networks, protocol, local_ports and remote_ports, as a tunnel and a policy have them.
struct Traffic {
  std::vector<Prefix> local;
  std::vector<Prefix> remote;
  std::optional<std::uint8_t> protocol;
  std::vector<PortRange> local_ports;   // empty: any
  std::vector<PortRange> remote_ports;  // empty: any
};
Traffic read_traffic(Section& section, Need networks);
// Every local network with every remote network of its family, with every pair of port ranges. Reports networks that
// have no counterpart, and more than `most_selectors`.
inline constexpr std::size_t most_selectors = 1024;
std::vector<Selector> expand(const Traffic& traffic, const Section& section);
// "10.1.0.0/24 to 10.2.0.0/24, protocol 6, remote ports 443"
[[nodiscard]] std::string selector_text(const Selector& selector);
// True when everything that `inner` matches, `outer` matches.
[[nodiscard]] bool covers(const Selector& outer, const Selector& inner) noexcept;

}  // namespace linecrypt::config
