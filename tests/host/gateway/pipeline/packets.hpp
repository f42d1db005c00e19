// Frames and packets for the pipeline's tests, built field by field.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "linecrypt/address.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt::gateway::test {

using Bytes = std::vector<std::uint8_t>;

// In the payload of everything a site sends. It must never be seen on the black side unless a test says so.
inline constexpr std::string_view marker = "CLEARTEXT-MARKER";

[[nodiscard]] IpAddress address(std::string_view text);
[[nodiscard]] Prefix prefix(std::string_view text);
[[nodiscard]] MacAddress mac(std::string_view text);

// `size` bytes that begin with the marker.
[[nodiscard]] Bytes payload(std::size_t size = 64);

struct IpOptions {
  std::uint8_t ttl = 64;
  bool dont_fragment = true;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // in units of 8 bytes
  std::uint8_t traffic_class = 0;
};

// A packet of the addresses' family; IPv6 fragments get a fragment header.
[[nodiscard]] Bytes ip(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol, const Bytes& body,
                       const IpOptions& options = {});
// With a right checksum.
[[nodiscard]] Bytes udp(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
                        std::uint16_t destination_port, const Bytes& body);
[[nodiscard]] Bytes udp_packet(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
                               std::uint16_t destination_port, const Bytes& body, const IpOptions& options = {});
// ICMP or ICMPv6 by the addresses' family, with a right checksum. `rest` is what follows type, code and checksum.
[[nodiscard]] Bytes icmp_packet(const IpAddress& source, const IpAddress& destination, std::uint8_t type,
                                std::uint8_t code, const Bytes& rest, const IpOptions& options = {});
// A too-big message as a router on the black side would send it. `quote` is the packet it complains of.
[[nodiscard]] Bytes too_big_packet(const IpAddress& router, const IpAddress& to, std::uint32_t mtu, const Bytes& quote);
[[nodiscard]] Bytes neighbour_solicitation(const IpAddress& source, const IpAddress& destination,
                                           const IpAddress& target, std::uint8_t hop_limit = 255);
[[nodiscard]] Bytes arp(std::uint16_t operation, const MacAddress& sender_mac, const IpAddress& sender,
                        const MacAddress& target_mac, const IpAddress& target);

[[nodiscard]] Bytes ethernet(const MacAddress& destination, const MacAddress& source, std::uint16_t ethertype,
                             const Bytes& body, const std::vector<ClearVlanTag>& tags = {});
// The EtherType follows the packet's version.
[[nodiscard]] Bytes ethernet_ip(const MacAddress& destination, const MacAddress& source, const Bytes& packet,
                                const std::vector<ClearVlanTag>& tags = {});

[[nodiscard]] bool contains(const Bytes& haystack, std::string_view needle);

}  // namespace linecrypt::gateway::test
