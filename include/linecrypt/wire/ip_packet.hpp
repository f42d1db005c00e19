// IpPacket: an IP packet of either family, parsed once and defensively. The one parser of the engine and the gateway.
#pragma once

#include <cstdint>

#include "linecrypt/address.hpp"
#include "linecrypt/policy.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ipv4.hpp"
#include "linecrypt/wire/ipv6.hpp"
#include "linecrypt/wire/udp.hpp"

namespace linecrypt::wire {

// All offsets count from `data` and lie within total_length. When `valid` is false nothing else means anything.
struct IpPacket {
  bool valid = false;
  Family family = Family::ipv4;
  std::uint8_t protocol = 0;           // IPv4 protocol, or the last next header after IPv6 extension headers
  bool fragment = false;               // a part of a datagram (an IPv6 atomic fragment is not one, RFC 6946)
  bool non_initial_fragment = false;   // offset is not 0: no upper-layer header in it
  bool routing_pending = false;        // IPv6 routing header with segments left: the destination is not the last
  const std::uint8_t* data = nullptr;  // what was parsed
  std::uint32_t header_length = 0;     // IPv4 with options, IPv6 without extension headers
  std::uint32_t total_length = 0;      // by the header; what follows is padding of the layer below
  std::uint32_t l4_offset = 0;         // upper-layer header, behind options and extension headers
  // Where transport mode puts ESP (RFC 4303 3.1.1): behind options, hop-by-hop, routing and fragment headers, and the
  // destination options before a routing header; other destination options are for the end and are protected.
  std::uint32_t esp_offset = 0;
  std::uint32_t esp_protocol_offset = 0;  // the protocol or next header byte that names what is at esp_offset
  std::uint32_t l4_protocol_offset = 0;   // the one that names what is at l4_offset

  [[nodiscard]] const std::uint8_t* source() const noexcept {
    return data + (family == Family::ipv4 ? ipv4_source : ipv6_source);
  }
  [[nodiscard]] const std::uint8_t* destination() const noexcept {
    return data + (family == Family::ipv4 ? ipv4_destination : ipv6_destination);
  }
  [[nodiscard]] std::uint32_t address_size() const noexcept { return family == Family::ipv4 ? 4 : 16; }
  [[nodiscard]] std::uint32_t l4_length() const noexcept { return total_length - l4_offset; }
  // TOS or traffic class.
  [[nodiscard]] std::uint8_t traffic_class() const noexcept {
    return family == Family::ipv4 ? data[ipv4_tos] : ipv6_traffic_class(data);
  }
  // TTL or hop limit.
  [[nodiscard]] std::uint8_t hop_limit() const noexcept {
    return data[family == Family::ipv4 ? ipv4_ttl : ipv6_hop_limit];
  }
  [[nodiscard]] bool dont_fragment() const noexcept {
    return family == Family::ipv6 || (load16(data + ipv4_fragment) & ipv4_flag_df) != 0;
  }
};

// What becomes of an IPv4 header whose checksum is wrong: not valid, or as if it were right.
enum class HeaderChecksum : std::uint8_t { ignore, verify };
[[nodiscard]] constexpr HeaderChecksum header_checksum(bool verify) noexcept {
  return verify ? HeaderChecksum::verify : HeaderChecksum::ignore;
}

namespace detail {

// parse_ipv4() of what may be a header of `header_length` bytes, 20 at least, all of them there. False: not valid, and
// `ip` is as it was.
[[nodiscard, gnu::always_inline]] inline bool read_ipv4(const std::uint8_t* p, std::uint32_t length,
                                                        std::uint32_t header_length, HeaderChecksum checksum,
                                                        IpPacket& ip) noexcept {
  const std::uint32_t total_length = load16(p + ipv4_total_length);
  if (total_length - header_length > length - header_length) return false;  // too short or too long
  if (checksum == HeaderChecksum::verify && !ipv4_checksum_is_right(p, header_length)) return false;
  const std::uint16_t fragment = load16(p + ipv4_fragment);
  ip.valid = true;
  ip.family = Family::ipv4;
  ip.protocol = p[ipv4_protocol];
  ip.non_initial_fragment = (fragment & ipv4_offset_mask) != 0;
  ip.fragment = ip.non_initial_fragment || (fragment & ipv4_flag_mf) != 0;
  ip.routing_pending = false;
  ip.data = p;
  ip.header_length = header_length;
  ip.total_length = total_length;
  ip.l4_offset = header_length;
  ip.esp_offset = header_length;
  ip.esp_protocol_offset = ipv4_protocol;
  ip.l4_protocol_offset = ipv4_protocol;
  return true;
}

// Headers with options are few.
[[nodiscard, gnu::noinline]] inline IpPacket parse_ipv4_with_options(const std::uint8_t* p, std::uint32_t length,
                                                                     HeaderChecksum checksum) noexcept {
  const std::uint32_t header_length = (p[0] & 0x0fU) * 4;
  IpPacket ip;
  if (p[0] >> 4U != 4 || header_length < ipv4_size || header_length > length) return ip;
  if (!read_ipv4(p, length, header_length, checksum, ip)) return {};
  return ip;
}

}  // namespace detail

// 1. Header length, total length and checksum (RFC 1122 3.2.1.1 - 3.2.1.2, RFC 1812 5.2.2).
// 2. Fragment flags.
//
// Always inlined: what the caller does not look at is then not written, and that is most of it.
[[nodiscard, gnu::always_inline]] inline IpPacket parse_ipv4(const std::uint8_t* p, std::uint32_t length,
                                                             HeaderChecksum checksum) noexcept {
  if (length < ipv4_size) return {};
  if (p[0] != ipv4_no_options) [[unlikely]]
    return detail::parse_ipv4_with_options(p, length, checksum);
  IpPacket ip;
  if (!detail::read_ipv4(p, length, ipv4_size, checksum, ip)) return {};
  return ip;
}

// 1. Payload length.
// 2. Extension headers up to the upper layer, each wholly inside the packet (RFC 8200 4). A non-initial fragment ends
//    the walk: what follows its fragment header is payload, whatever the next header says.
[[nodiscard, gnu::noinline]] inline IpPacket parse_ipv6(const std::uint8_t* p, std::uint32_t length) noexcept {
  IpPacket ip;
  if (length < ipv6_size || p[0] >> 4U != 6) return ip;
  const std::uint32_t total_length = ipv6_size + load16(p + ipv6_payload_length);
  if (total_length > length) return ip;
  ip.family = Family::ipv6;
  ip.data = p;
  ip.header_length = ipv6_size;
  ip.total_length = total_length;
  ip.esp_offset = ipv6_size;
  ip.esp_protocol_offset = ipv6_next_header;

  std::uint32_t offset = ipv6_size;
  std::uint32_t named_at = ipv6_next_header;
  bool walking = true;
  for (std::uint32_t count = 0; walking; ++count) {
    const std::uint8_t next = p[named_at];
    if (next != ipv6_hop_by_hop && next != ipv6_routing && next != ipv6_fragment_header &&
        next != ipv6_destination_options)
      break;
    if (count == ipv6_extensions_max || total_length - offset < 8) return ip;
    // Hop-by-hop options stand directly behind the IPv6 header or nowhere (RFC 8200 4.3).
    if (next == ipv6_hop_by_hop && offset != ipv6_size) return ip;
    const std::uint32_t size = next == ipv6_fragment_header ? ipv6_fragment_size : (p[offset + 1] + 1U) * 8;
    if (size > total_length - offset) return ip;
    if (next == ipv6_fragment_header) {
      const std::uint16_t field = load16(p + offset + 2);
      ip.non_initial_fragment = (field & ipv6_fragment_offset_mask) != 0;
      ip.fragment = ip.fragment || ip.non_initial_fragment || (field & ipv6_fragment_more) != 0;
      walking = !ip.non_initial_fragment;
    }
    if (next == ipv6_routing && p[offset + 3] != 0) ip.routing_pending = true;
    named_at = offset;
    offset += size;
    if (next != ipv6_destination_options) {
      ip.esp_offset = offset;
      ip.esp_protocol_offset = named_at;
    }
  }
  ip.protocol = p[named_at];
  ip.l4_offset = offset;
  ip.l4_protocol_offset = named_at;
  ip.valid = true;
  return ip;
}

// Reads nothing outside [p, p + length).
[[nodiscard]] inline IpPacket parse_ip(const std::uint8_t* p, std::uint32_t length,
                                       HeaderChecksum checksum = HeaderChecksum::verify) noexcept {
  if (length == 0) return {};
  if (p[0] >> 4U == 4) return parse_ipv4(p, length, checksum);
  return parse_ipv6(p, length);
}

// parse_ip() into a packet that stays in memory: nearly all are IPv4 without options, and theirs is written there field
// by field, never copied. False: not valid.
[[nodiscard, gnu::always_inline]] inline bool parse_ip_into(IpPacket& ip, const std::uint8_t* p,
                                                            std::uint32_t length) noexcept {
  if (length >= ipv4_size && p[0] == ipv4_no_options) [[likely]]
    return detail::read_ipv4(p, length, ipv4_size, HeaderChecksum::verify, ip);
  ip = parse_ip(p, length);
  return ip.valid;
}

// Fields of an IP header whose version is known: total length, TOS or traffic class, and IPv4's flags in the upper bits
// of the first byte of their field, where IPv6 packets are as if DF was set.
template <Family family>
[[nodiscard]] inline std::uint32_t total_length_as(const std::uint8_t* ip) noexcept {
  return family == Family::ipv4 ? load16(ip + ipv4_total_length) : ipv6_size + load16(ip + ipv6_payload_length);
}
template <Family family>
[[nodiscard]] inline std::uint8_t traffic_class_as(const std::uint8_t* ip) noexcept {
  return family == Family::ipv4 ? ip[ipv4_tos] : ipv6_traffic_class(ip);
}
template <Family family>
[[nodiscard]] inline std::uint8_t ip_flags_as(const std::uint8_t* ip) noexcept {
  return family == Family::ipv4 ? ip[ipv4_fragment] : std::uint8_t{ipv4_flag_df >> 8U};
}

// parse_ip() where the version is known: true of exactly one of the two for each packet.
template <Family family>
[[nodiscard, gnu::always_inline]] inline IpPacket parse_ip_as(
    const std::uint8_t* p, std::uint32_t length, HeaderChecksum checksum = HeaderChecksum::verify) noexcept {
  IpPacket ip = family == Family::ipv4 ? parse_ipv4(p, length, checksum) : parse_ipv6(p, length);
  // As they are already, but now the compiler knows.
  ip.family = family;
  ip.data = p;
  return ip;
}

// Which side of the packet is the gateway's clear side: its source on the way out, its destination on the way in.
enum class LocalSide : std::uint8_t { source, destination };

// What selectors are matched against. Ports only where they are in this packet (RFC 4301 7).
[[nodiscard]] inline TrafficKey traffic_key(const IpPacket& ip, LocalSide local) noexcept {
  TrafficKey key;
  key.family = ip.family;
  key.local = local == LocalSide::source ? ip.source() : ip.destination();
  key.remote = local == LocalSide::source ? ip.destination() : ip.source();
  key.protocol = ip.protocol;
  if (has_ports(ip.protocol) && !ip.non_initial_fragment && ip.l4_length() >= 4) {
    const std::uint16_t source_port = load16(ip.data + ip.l4_offset);
    const std::uint16_t destination_port = load16(ip.data + ip.l4_offset + 2);
    key.has_ports = true;
    key.local_port = local == LocalSide::source ? source_port : destination_port;
    key.remote_port = local == LocalSide::source ? destination_port : source_port;
  }
  return key;
}

}  // namespace linecrypt::wire
