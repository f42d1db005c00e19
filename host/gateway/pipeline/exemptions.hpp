// The built-in exemptions from the policy, all of them (DESIGN 5). Pure functions: whether a frame is one, and whether
// it keeps every condition. What looks like one and misses a condition is dropped (Verdict::exemption_refused).
//
//   EAPOL  to the PAE group addresses, or the port's own MAC; untagged; never between ports
//   ARP    well-formed, of the link itself: own MAC and own address when we send it
//   ND     ICMPv6 133-137 with hop limit 255 and link scope (RFC 4861)
//   IKE    UDP 500, or 4500 with the non-ESP marker or as a 1-byte keepalive; the port's own address; never forwarded
//
// DHCP, BFD, BGP and the like need a rule.
#pragma once

#include <cstdint>

#include "host/gateway/pipeline/fib.hpp"
#include "host/gateway/pipeline/frame.hpp"
#include "linecrypt/address.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::gateway {

enum class Exemption : std::uint8_t {
  none,     // not this kind of frame: go on
  granted,  // every condition holds
  refused,  // this kind of frame, and a condition fails
};

// The own port of a check.
struct Here {
  const Fib& fib;
  PortIndex port;
  const MacAddress& mac;
};

inline constexpr std::uint32_t arp_size = 28;  // of Ethernet and IPv4 (RFC 826)

// 01:80:c2:00:00:00, :03 and :0e (IEEE 802.1X-2020 table 11-1).
[[nodiscard]] bool is_pae_group(const std::uint8_t* mac) noexcept;

// Frames whose EtherType is EAPOL, from the wire and from the companion.
[[nodiscard]] Exemption eapol_received(const std::uint8_t* frame, const MacAddress& own) noexcept;
[[nodiscard]] Exemption eapol_sent(const std::uint8_t* frame) noexcept;

// Frames whose EtherType is ARP. `arp` points behind the EtherType.
[[nodiscard]] Exemption arp_received(const Here& here, const std::uint8_t* frame, const std::uint8_t* arp,
                                     std::uint32_t length) noexcept;
[[nodiscard]] Exemption arp_sent(const Here& here, const std::uint8_t* arp, std::uint32_t length) noexcept;

[[nodiscard]] Exemption neighbour_discovery_received(const Here& here, const wire::IpPacket& ip) noexcept;
[[nodiscard]] Exemption neighbour_discovery_sent(const Here& here, const wire::IpPacket& ip) noexcept;

// ESP and keepalives were taken out before (esp_input): what arrives on 4500 here is IKE or malformed.
[[nodiscard]] Exemption ike_received(const Here& here, const wire::IpPacket& ip) noexcept;
[[nodiscard]] Exemption ike_sent(const Here& here, const wire::IpPacket& ip) noexcept;

}  // namespace linecrypt::gateway
