// Ethernet II (IEEE 802.3) and VLAN tags (IEEE 802.1Q): offsets, types, limits.
#pragma once

#include <emmintrin.h>

#include <cstdint>
#include <cstring>

#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/wide_store.hpp"

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

// Copies destination and source; the two places may overlap.
inline void move_addresses(std::uint8_t* to, const std::uint8_t* from) noexcept {
  std::uint64_t front;
  std::uint32_t back;
  std::memcpy(&front, from, sizeof front);
  std::memcpy(&back, from + sizeof front, sizeof back);
  std::memcpy(to, &front, sizeof front);
  std::memcpy(to + sizeof front, &back, sizeof back);
}

// Copies an Ethernet header and gives it another type. It reads and writes 16 bytes at once: what stands behind the new
// header is written back as it is.
inline void move_ethernet(std::uint8_t* to, const std::uint8_t* from, std::uint16_t type) noexcept {
  __m128i header = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  std::uint16_t behind;
  std::memcpy(&behind, to + ethernet_size, sizeof behind);
  header = _mm_insert_epi16(header, bytes_of(type), ethertype_offset / 2);
  header = _mm_insert_epi16(header, behind, ethernet_size / 2);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), header);
}

}  // namespace linecrypt::wire
