// IP packets built by hand for tests. Only addresses are parsed by the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "linecrypt/address.hpp"
#include "tests/support/hex.hpp"

namespace linecrypt::test {

Bytes operator+(Bytes left, const Bytes& right);
// `length` bytes that depend on `seed`.
Bytes noise(std::size_t length, std::uint32_t seed = 1);
IpAddress address(const std::string& text);

inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t tcp = 6;

// One header; everything else is computed.
struct Ip {
  std::string source = "10.1.0.7";
  std::string destination = "10.2.0.9";
  std::uint8_t protocol = udp;
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 64;
  std::uint16_t fragment = 0;  // IPv4 flags and offset
  std::uint16_t identification = 0x1234;
  std::uint32_t flow_label = 0;
  Bytes options{};  // IPv4 options (a multiple of 4), or IPv6 extension headers: their last next header is `protocol`
  std::uint8_t first_extension = 0;  // IPv6: what the first of `options` is
};

Bytes packet(const Ip& ip, const Bytes& payload);
Bytes ethernet(std::uint16_t type, const Bytes& payload, bool vlan = false);
Bytes udp_segment(const Ip& ip, std::uint16_t source, std::uint16_t destination, const Bytes& data);
Bytes tcp_segment(const Ip& ip, std::uint16_t source, std::uint16_t destination, const Bytes& data);
// The Internet checksum by the textbook, byte by byte.
std::uint16_t slow_checksum(const Bytes& bytes);
std::uint16_t slow_l4_checksum(const Ip& ip, std::uint8_t protocol, const Bytes& segment);
// An IP packet whose IP layer is exactly `length` bytes (at least its header): UDP where there is room, else protocol
// 253 (RFC 3692) with noise.
Bytes sized_packet(Family family, std::uint32_t length);

inline std::uint16_t get16(const Bytes& b, std::size_t at) {
  return static_cast<std::uint16_t>(b.at(at) << 8U | b.at(at + 1));
}
inline void put16(Bytes& b, std::size_t at, std::uint16_t v) {
  b.at(at) = static_cast<std::uint8_t>(v >> 8U);
  b.at(at + 1) = static_cast<std::uint8_t>(v);
}
inline void put32(Bytes& b, std::size_t at, std::uint32_t v) {
  put16(b, at, static_cast<std::uint16_t>(v >> 16U));
  put16(b, at + 2, static_cast<std::uint16_t>(v));
}
// Writes an IPv4 header's checksum anew after a test has changed the header.
void fix_ipv4_checksum(Bytes& packet, std::size_t at = 0);

}  // namespace linecrypt::test
