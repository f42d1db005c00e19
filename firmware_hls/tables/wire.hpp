// Network byte order on byte arrays, the Internet checksum, and the few numbers of IP that kernels need.
#pragma once

#include <cstdint>

namespace linecrypt {
namespace firmware {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

inline u16 get16(const u8* p) {
  return static_cast<u16>((p[0] << 8U) | p[1]);
}
inline u32 get32(const u8* p) {
  return (static_cast<u32>(get16(p)) << 16U) | get16(p + 2);
}
inline u64 get64(const u8* p) {
  return (static_cast<u64>(get32(p)) << 32U) | get32(p + 4);
}
inline void put16(u8* p, u32 value) {
  p[0] = static_cast<u8>(value >> 8U);
  p[1] = static_cast<u8>(value);
}
inline void put32(u8* p, u32 value) {
  put16(p, value >> 16U);
  put16(p + 2, value & 0xffffU);
}
inline void put64(u8* p, u64 value) {
  put32(p, static_cast<u32>(value >> 32U));
  put32(p + 4, static_cast<u32>(value));
}

// RFC 1071: a sum of 16-bit words folded to 16 bits.
inline u16 fold(u32 sum) {
  sum = (sum >> 16U) + (sum & 0xffffU);
  sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<u16>(sum);
}

// The checksum of the first `length` bytes (even, at most 60) of an IPv4 header.
inline u16 ipv4_sum(const u8* header, u32 length) {
  u32 sum = 0;
  for (u32 i = 0; i < 60; i += 2) {
    if (i < length) sum += get16(header + i);
  }
  return static_cast<u16>(~fold(sum));
}

// What a checksum becomes when a 16-bit field changes (RFC 1624 equation 3): a wrong one stays wrong.
inline u16 checksum_update(u16 checksum, u16 before, u16 after) {
  return static_cast<u16>(~fold(static_cast<u32>(static_cast<u16>(~checksum)) + static_cast<u16>(~before) + after));
}

namespace wire {
constexpr u32 ipv4_size = 20;
constexpr u32 ipv6_size = 40;
constexpr u32 udp_size = 8;
constexpr u32 esp_front = 16;  // SPI, sequence number, IV
constexpr u32 esp_trailer = 2;
constexpr u32 icv_size = 16;
constexpr u8 protocol_ipip = 4;
constexpr u8 protocol_tcp = 6;
constexpr u8 protocol_udp = 17;
constexpr u8 protocol_dccp = 33;
constexpr u8 protocol_ipv6 = 41;
constexpr u8 protocol_esp = 50;
constexpr u8 protocol_none = 59;
constexpr u8 protocol_sctp = 132;
constexpr u8 next_hop_by_hop = 0;
constexpr u8 next_routing = 43;
constexpr u8 next_fragment = 44;
constexpr u8 next_destination_options = 60;
constexpr u16 type_ipv4 = 0x0800;
constexpr u16 type_ipv6 = 0x86dd;
constexpr u16 type_ctag = 0x8100;
constexpr u16 type_stag = 0x88a8;
constexpr u16 type_macsec = 0x88e5;
}  // namespace wire

}  // namespace firmware
}  // namespace linecrypt
