// An IP packet's headers, parsed defensively from the packet's first bytes: wire::parse_ip() of the host, within what a
// kernel sees of a packet.
#pragma once

#include "firmware_hls/tables/window.hpp"
#include "firmware_hls/tables/wire.hpp"

namespace linecrypt {
namespace firmware {

// IPv6 extension headers that are walked; a packet with more, or whose headers reach beyond the window, is
// `unsupported` and the host's.
constexpr u32 extensions_walked = 4;
constexpr u32 extensions_most = 16;  // the host's own bound

struct IpHeaders {
  bool valid;        // when it is not, only `unsupported` means anything
  bool unsupported;  // may be valid: the host can tell
  bool ipv6;
  bool fragment;
  bool non_initial_fragment;
  bool routing_pending;  // IPv6 routing header with segments left
  bool dont_fragment;
  u8 protocol;  // IPv4 protocol, or the last next header
  u8 traffic_class;
  u8 hop_limit;
  u32 flow_label;
  u32 header_length;
  u32 total_length;
  u32 l4_offset;
  u32 l4_protocol_offset;  // the byte that names what is at l4_offset
  u32 esp_offset;          // where transport mode puts ESP (RFC 4303 3.1.1)
  u32 esp_protocol_offset;
};

inline IpHeaders no_ip() {
  IpHeaders ip = {};
  return ip;
}

// IPv4 header length, total length and, unless `any_checksum`, checksum (RFC 1122 3.2.1); fragment flags. `p` holds the
// bytes from the IP header on, `available` of the packet are there.
inline IpHeaders parse_ipv4(const u8* p, u32 available, bool any_checksum) {
  IpHeaders ip = no_ip();
  if (available < wire::ipv4_size) return ip;
  const u32 header_length = (p[0] & 0x0fU) * 4;
  const u32 total_length = get16(p + 2);
  if (header_length < wire::ipv4_size || header_length > total_length || total_length > available) return ip;
  if (ipv4_sum(p, header_length) != 0 && !any_checksum) return ip;
  const u16 fragment = get16(p + 6);
  ip.valid = true;
  ip.non_initial_fragment = (fragment & 0x1fffU) != 0;
  ip.fragment = ip.non_initial_fragment || (fragment & 0x2000U) != 0;
  ip.dont_fragment = (fragment & 0x4000U) != 0;
  ip.protocol = p[9];
  ip.traffic_class = p[1];
  ip.hop_limit = p[8];
  ip.header_length = header_length;
  ip.total_length = total_length;
  ip.l4_offset = header_length;
  ip.l4_protocol_offset = 9;
  ip.esp_offset = header_length;
  ip.esp_protocol_offset = 9;
  return ip;
}

// IPv6 payload length, then extension headers up to the upper layer, each wholly inside the packet (RFC 8200 4). A
// non-initial fragment ends the walk. `seen` bytes of the packet are in `p`.
inline IpHeaders parse_ipv6(const u8* p, u32 available, u32 seen) {
  IpHeaders ip = no_ip();
  if (available < wire::ipv6_size) return ip;
  const u32 total_length = wire::ipv6_size + get16(p + 4);
  if (total_length > available) return ip;
  ip.ipv6 = true;
  ip.dont_fragment = true;
  ip.traffic_class = static_cast<u8>(get16(p) >> 4U);
  ip.flow_label = get32(p) & 0xfffffU;
  ip.hop_limit = p[7];
  ip.header_length = wire::ipv6_size;
  ip.total_length = total_length;
  ip.esp_offset = wire::ipv6_size;
  ip.esp_protocol_offset = 6;
  u32 offset = wire::ipv6_size;
  u32 named_at = 6;
  u8 next = p[6];
  bool walking = true;
  bool bad = false;
  for (u32 count = 0; count <= extensions_walked; ++count) {
    const bool extension = next == wire::next_hop_by_hop || next == wire::next_routing || next == wire::next_fragment ||
                           next == wire::next_destination_options;
    if (!walking || bad || !extension) continue;
    if (count == extensions_walked) {
      ip.unsupported = true;
      bad = true;
      continue;
    }
    if (total_length - offset < 8 || (next == wire::next_hop_by_hop && offset != wire::ipv6_size)) {
      bad = true;
      continue;
    }
    if (offset + 8 > seen) {
      ip.unsupported = true;
      bad = true;
      continue;
    }
    const u8* at = p + offset;
    const u32 size = next == wire::next_fragment ? 8 : (at[1] + 1U) * 8;
    if (size > total_length - offset) {
      bad = true;
      continue;
    }
    if (next == wire::next_fragment) {
      const u16 field = get16(at + 2);
      ip.non_initial_fragment = (field & 0xfff8U) != 0;
      ip.fragment = ip.fragment || (field & 0xfff9U) != 0;
      walking = !ip.non_initial_fragment;
    }
    if (next == wire::next_routing && at[3] != 0) ip.routing_pending = true;
    const bool before_esp = next != wire::next_destination_options;
    named_at = offset;
    next = at[0];
    offset += size;
    if (before_esp) {
      ip.esp_offset = offset;
      ip.esp_protocol_offset = named_at;
    }
  }
  ip.valid = !bad;
  ip.protocol = next;
  ip.l4_offset = offset;
  ip.l4_protocol_offset = named_at;
  return ip;
}

// `available` bytes of the frame lie from the IP header on, the first `seen` of them in `p`. `any_checksum`: an IPv4
// header checksum may be wrong.
inline IpHeaders parse_ip(const u8* p, u32 available, u32 seen, bool any_checksum = false) {
  if (available == 0) return no_ip();
  if (p[0] >> 4U == 4) return parse_ipv4(p, available, any_checksum);
  if (p[0] >> 4U == 6) return parse_ipv6(p, available, seen);
  return no_ip();
}

}  // namespace firmware
}  // namespace linecrypt
