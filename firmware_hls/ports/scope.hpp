// What kind of address 4 or 16 bytes are (RFC 1122 3.2.1.3, RFC 4291 2.4): host/gateway/pipeline/ip_scope.hpp as
// kernels say it.
#pragma once

#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

inline bool is_unspecified(bool ipv6, const u8* address) {
  u32 sum = 0;
  for (u32 i = 0; i < 16; ++i) {
    if (ipv6 || i < 4) sum |= address[i];
  }
  return sum == 0;
}

inline bool is_multicast(bool ipv6, const u8* address) {
  return ipv6 ? address[0] == 0xff : (address[0] & 0xf0U) == 0xe0;
}

inline bool is_loopback(bool ipv6, const u8* address) {
  if (!ipv6) return address[0] == 127;
  u32 sum = 0;
  for (u32 i = 0; i < 15; ++i) sum |= address[i];
  return sum == 0 && address[15] == 1;
}

// fe80::/10. IPv4's 169.254/16 is an address like any other here.
inline bool is_link_local(bool ipv6, const u8* address) {
  return ipv6 && address[0] == 0xfe && (address[1] & 0xc0U) == 0x80;
}

// ff02::/16
inline bool is_link_multicast(bool ipv6, const u8* address) {
  return ipv6 && address[0] == 0xff && (address[1] & 0x0fU) == 0x02;
}

// An address of one host that may be forwarded to another link.
inline bool is_routable(bool ipv6, const u8* address) {
  if (!ipv6 && (address[0] == 0 || address[0] >= 240)) return false;  // RFC 1122, class E
  return !is_unspecified(ipv6, address) && !is_multicast(ipv6, address) && !is_loopback(ipv6, address) &&
         !is_link_local(ipv6, address);
}

inline bool equal_bytes(const u8* a, const u8* b, u32 count) {
  u32 difference = 0;
  for (u32 i = 0; i < 16; ++i) {
    if (i < count) difference |= static_cast<u32>(a[i]) ^ b[i];
  }
  return difference == 0;
}

constexpr u32 mac_size = 6;

inline bool is_group(const u8* mac) {
  return (mac[0] & 1U) != 0;
}

// 01:80:c2:00:00:00, :03 and :0e (IEEE 802.1X-2020 table 11-1).
inline bool is_pae_group(const u8* mac) {
  return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && mac[3] == 0 && mac[4] == 0 &&
         (mac[5] == 0x00 || mac[5] == 0x03 || mac[5] == 0x0e);
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
