// MTU arithmetic of ESP and MACsec: what fits into a path, and what comes out for a given packet. Pure functions.
//
// ESP with AES-GCM or GMAC (RFC 4303, RFC 4106 3 and 4, RFC 4543, RFC 3948) makes an IP packet of
//
//   header + [UDP 8] + SPI and number 8 + IV 8 + ceil4(payload + 2) + ICV 16
//
// whatever the key size: the 2 are pad length and next header, and the cipher text ends on 4 bytes (RFC 4303 2.4).
// In tunnel mode the payload is the inner packet and the header is the outer one; in transport mode the payload is what
// followed the packet's own IP header. MACsec (IEEE 802.1AE-2018 9.3) makes the Ethernet frame longer and leaves the IP
// layer's MTU alone.
#pragma once

#include <cstdint>
#include <optional>

#include "linecrypt/address.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::mtu {

inline constexpr std::uint32_t ipv4_header_size = 20;  // without options
inline constexpr std::uint32_t ipv6_header_size = 40;  // without extension headers
inline constexpr std::uint32_t esp_alignment = 4;      // RFC 4303 2.4
inline constexpr std::uint32_t ip_packet_largest = 65535;

// A path MTU below these is no path for the family (RFC 791 3.2, RFC 8200 5).
[[nodiscard]] constexpr std::uint32_t path_mtu_smallest(Family family) noexcept {
  return family == Family::ipv4 ? 68 : 1280;
}

[[nodiscard]] constexpr std::uint32_t ip_header_size(Family family) noexcept {
  return family == Family::ipv4 ? ipv4_header_size : ipv6_header_size;
}

struct EspLayout {
  EspMode mode = EspMode::tunnel;
  Family family = Family::ipv4;    // of the header before ESP: the outer one, in transport mode the packet's own
  bool udp = false;                // NAT-T (RFC 3948)
  std::uint32_t extra_header = 0;  // transport mode: IPv4 options or IPv6 extension headers that stay before ESP
};

// What stands before the cipher text and after it: everything but ceil4(payload + 2).
[[nodiscard]] constexpr std::uint32_t esp_fixed_overhead(const EspLayout& layout) noexcept {
  return ip_header_size(layout.family) + layout.extra_header + (layout.udp ? wire::udp_size : 0) +
         wire::esp_header_size + wire::esp_iv_size + esp_icv_size;
}

// Cipher text of a payload: itself, padding, pad length and next header.
[[nodiscard]] constexpr std::uint32_t esp_padded_size(std::uint32_t payload) noexcept {
  return (payload + wire::esp_trailer_size + esp_alignment - 1) / esp_alignment * esp_alignment;
}

// Size of the IP packet that carries `payload` bytes.
[[nodiscard]] constexpr std::uint32_t esp_packet_size(const EspLayout& layout, std::uint32_t payload) noexcept {
  return esp_fixed_overhead(layout) + esp_padded_size(payload);
}

// Largest payload whose packet fits into `path_mtu` bytes; none when not even an empty one does.
[[nodiscard]] constexpr std::optional<std::uint32_t> esp_largest_payload(const EspLayout& layout,
                                                                         std::uint32_t path_mtu) noexcept {
  const std::uint32_t fixed = esp_fixed_overhead(layout);
  if (path_mtu < fixed + esp_alignment) return std::nullopt;
  return (path_mtu - fixed) / esp_alignment * esp_alignment - wire::esp_trailer_size;
}

// Largest IP packet on the clear side that fits: the inner packet, in transport mode header and payload together.
// This is the MTU that the clear side may use.
[[nodiscard]] constexpr std::optional<std::uint32_t> esp_largest_clear_packet(const EspLayout& layout,
                                                                              std::uint32_t path_mtu) noexcept {
  const std::optional<std::uint32_t> payload = esp_largest_payload(layout, path_mtu);
  if (!payload || layout.mode == EspMode::tunnel) return payload;
  return *payload + ip_header_size(layout.family) + layout.extra_header;
}

// ---- MACsec ----

enum class MacsecLayout : std::uint8_t {
  none,
  sci,     // SecTAG with the SCI: 16 bytes
  no_sci,  // end station, single copy broadcast or implicit: 8 bytes
};

inline constexpr std::uint32_t sectag_size = 8;  // with its EtherType (IEEE 802.1AE-2018 9.3)
inline constexpr std::uint32_t sci_size = 8;     // 9.9

[[nodiscard]] constexpr MacsecLayout macsec_layout(SciEncoding encoding) noexcept {
  return encoding == SciEncoding::explicit_sci ? MacsecLayout::sci : MacsecLayout::no_sci;
}

// Bytes that MACsec adds to a frame.
[[nodiscard]] constexpr std::uint32_t macsec_overhead(MacsecLayout layout) noexcept {
  if (layout == MacsecLayout::none) return 0;
  return sectag_size + (layout == MacsecLayout::sci ? sci_size : 0) + macsec_icv_size;
}

// Ethernet frame of an IP packet without its FCS: what a capture shows and what a port must be able to send. Tags
// before and after the SecTAG count alike.
[[nodiscard]] constexpr std::uint32_t frame_size(std::uint32_t ip_packet, std::uint32_t vlan_tags,
                                                 MacsecLayout layout) noexcept {
  return wire::ethernet_size + vlan_tags * wire::vlan_tag_size + ip_packet + macsec_overhead(layout);
}

}  // namespace linecrypt::mtu
