// Ethernet II (IEEE 802.3) and VLAN tags (IEEE 802.1Q): offsets, types, limits.
#pragma once

#include <cstdint>

#include "linecrypt/wire/endian.hpp"

namespace linecrypt::wire {

inline constexpr std::uint32_t mac_size = 6;
inline constexpr std::uint32_t ethernet_size = 14;  // destination, source, EtherType
inline constexpr std::uint32_t ethertype_offset = 12;
inline constexpr std::uint32_t vlan_tag_size = 4;
inline constexpr std::uint32_t ethernet_smallest = 60;  // without FCS

inline constexpr std::uint16_t ethertype_ipv4 = 0x0800;
inline constexpr std::uint16_t ethertype_arp = 0x0806;
inline constexpr std::uint16_t ethertype_ctag = 0x8100;
inline constexpr std::uint16_t ethertype_stag = 0x88a8;
inline constexpr std::uint16_t ethertype_ipv6 = 0x86dd;
inline constexpr std::uint16_t ethertype_eapol = 0x888e;
inline constexpr std::uint16_t ethertype_macsec = 0x88e5;

[[nodiscard]] inline bool is_vlan(std::uint16_t ethertype) noexcept {
  return ethertype == ethertype_ctag || ethertype == ethertype_stag;
}

}  // namespace linecrypt::wire
