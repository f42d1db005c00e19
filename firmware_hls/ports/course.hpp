// Course: what becomes of a frame, as a decision says it, and how the frame is written anew for it. Decisions are pure
// functions of a policy and a frame's first bytes; their oracle is host/gateway/pipeline.
#pragma once

#include "firmware_hls/macsec/protect.hpp"
#include "firmware_hls/ports/exemptions.hpp"
#include "firmware_hls/tables/shape.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

using abi::VerdictCode;

enum class Destination : u8 { nowhere = 0, wire = 1, host = 2 };

struct Course {
  // Nowhere: why. Wire: what it counts as if the operations below succeed. Host: why the host gets it; `unsupported`,
  // `ttl_exceeded` and `too_big` are for the host to decide or to answer, all others are the card's decision.
  VerdictCode verdict;
  Destination to;
  bool encapsulate;  // by `sa`
  bool decapsulate;  // the card finds the SA
  bool validate;     // likewise
  bool controlled;   // leaves through the black port's SecY, if it has one
  bool keeps;        // the frame is not written anew: `cut` means nothing
  abi::JobStage sa;
  u16 l2;  // of the frame as it goes on
  Cut cut;
};

inline Course dropped(VerdictCode verdict) {
  Course course = {};
  course.verdict = verdict;
  course.to = Destination::nowhere;
  return course;
}

// Goes on as it is; the next decision has the word.
inline Course goes_on() {
  Course course = {};
  course.verdict = VerdictCode::pending;
  course.to = Destination::wire;
  course.keeps = true;
  return course;
}

// ---- link layer ----

constexpr u32 ethernet_size = 14;
constexpr u32 tag_size = 4;

struct L2 {
  VerdictCode verdict;  // anything but pending: drop with it
  u16 type;
  u32 length;
};

// Each of the port's tags stands where it should: number, TPID and VID equal; PCP and DEI are not looked at
// (DESIGN 3.1).
inline L2 parse_l2(const abi::PortWord& port, const Window& window, u32 length) {
  L2 l2 = {};
  l2.verdict = VerdictCode::pending;
  u32 at = ethernet_size - 2;
  for (u32 i = 0; i < abi::port_tags_most; ++i) {
    if (i >= port.tags || l2.verdict != VerdictCode::pending) continue;
    const u16 type = get16(window.byte + at);
    const u16 vid = get16(window.byte + at + 2) & 0x0fffU;
    if (!macsec::is_vlan(type)) {
      l2.verdict = VerdictCode::macsec_vlan_missing;
    } else if (length < at + tag_size + 2) {
      l2.verdict = VerdictCode::malformed_ethernet;
    } else if (type != port.tag[i] >> 16U || vid != (port.tag[i] & 0x0fffU)) {
      l2.verdict = VerdictCode::macsec_vlan_mismatch;
    }
    at += tag_size;
  }
  l2.type = get16(window.byte + at);
  l2.length = at + 2;
  return l2;
}

inline u16 l2_of(const abi::PortWord& port) {
  return static_cast<u16>(ethernet_size + tag_size * port.tags);
}

inline bool addressed_to(const abi::PortWord& port, const Window& window) {
  return is_group(window.byte) || equal_bytes(window.byte, port.mac, mac_size);
}

// ---- IP ----

inline Ip ip_at(const Window& window, u32 l2, u32 length) {
  Ip ip = {};
  const u32 available = length - l2;
  const u32 room = window_bytes - l2;
  ip.window = shifted(window, l2);
  ip.seen = available < room ? available : room;
  ip.headers = parse_ip(ip.window.byte, available, ip.seen);
  ip.ipv6 = ip.headers.ipv6;
  if (ip.headers.total_length < ip.seen) ip.seen = ip.headers.total_length;
  return ip;
}

inline u16 type_of(const Ip& ip) {
  return ip.ipv6 ? wire::type_ipv6 : wire::type_ipv4;
}

// pending: a packet to go on with, or (headers.unsupported) one that the host must look at.
inline VerdictCode check_ip(const Ip& ip, u16 type, u32 mtu) {
  if (!ip.headers.valid && !ip.headers.unsupported) return VerdictCode::malformed_ip;
  if (type_of(ip) != type) return VerdictCode::malformed_ip;
  return ip.headers.valid && ip.headers.total_length > mtu ? VerdictCode::oversize : VerdictCode::pending;
}

inline bool last_hop(const Ip& ip) {
  return ip.headers.hop_limit <= 1;
}

// Whom a packet is for.
enum class Reach : u8 { mismatch, many, us, our_other, transit };

// A group frame that carries a unicast packet, or the reverse, is for nobody (RFC 1122 3.3.6).
template <u32 N>
Reach reach(const Policy<N>& policy, bool black, const Window& window, const Ip& ip) {
  const u8* to = destination_of(ip);
  const bool many = is_multicast(ip.ipv6, to) || is_broadcast(policy, black, ip.ipv6, to);
  if (many != is_group(window.byte)) return Reach::mismatch;
  if (many) return Reach::many;
  if (owns(policy, black, ip.ipv6, to)) return Reach::us;
  return owned(policy, ip.ipv6, to) ? Reach::our_other : Reach::transit;
}

// ---- courses that write a new link-layer header ----

inline void begin_frame(Course& course, const u8* destination, const u8* source, const abi::PortWord& port, u16 type,
                        bool tagged) {
  u8 front[l2_largest + 2] = {};
  for (u32 i = 0; i < mac_size; ++i) {
    front[i] = destination[i];
    front[mac_size + i] = source[i];
  }
  u32 at = 2 * mac_size;
  for (u32 i = 0; i < abi::port_tags_most; ++i) {
    if (!tagged || i >= port.tags) continue;
    put32(front + at, port.tag[i]);
    at += tag_size;
  }
  put16(front + at, type);
  course.l2 = static_cast<u16>(at + 2);
  append(course.cut, front, course.l2);
}

// To the host: without the port's tags and what is behind the packet. `bytes` of payload from `l2` on.
inline Course to_host(VerdictCode verdict, const u8* destination, const Window& window, u16 type, u32 l2, u32 bytes) {
  Course course = {};
  course.verdict = verdict;
  course.to = Destination::host;
  const abi::PortWord untagged = {};
  begin_frame(course, destination, window.byte + mac_size, untagged, type, false);
  course.cut.strip = static_cast<u16>(l2);
  course.cut.keep = static_cast<u16>(bytes);
  return course;
}
inline Course ip_to_host(VerdictCode verdict, const Window& window, const Ip& ip, u32 l2) {
  return to_host(verdict, window.byte, window, type_of(ip), l2, ip.headers.total_length);
}

// Out of `port` to its neighbour, as a forwarder does it: one hop fewer (RFC 1812 5.3.1, RFC 8200 3).
inline Course forwarded(VerdictCode verdict, const abi::PortWord& port, const Ip& ip, u32 l2) {
  if (is_unspecified(false, port.next_hop) && port.next_hop[4] == 0 && port.next_hop[5] == 0)
    return dropped(VerdictCode::no_neighbour);
  Course course = {};
  course.verdict = verdict;
  course.to = Destination::wire;
  course.controlled = true;
  begin_frame(course, port.next_hop, port.mac, port, type_of(ip), true);
  u8 front[12];
  for (u32 i = 0; i < 12; ++i) front[i] = ip.window.byte[i];
  const u16 before = get16(front + 8);
  if (ip.ipv6) {
    --front[7];
  } else {
    --front[8];
    put16(front + 10, checksum_update(get16(front + 10), before, get16(front + 8)));
  }
  append(course.cut, front, 12);
  course.cut.strip = static_cast<u16>(l2 + 12);
  course.cut.keep = static_cast<u16>(ip.headers.total_length - 12);
  return course;
}

// The host's own frame, out of `port` as the host addressed it, with the port's tags.
inline Course as_addressed(VerdictCode verdict, const abi::PortWord& port, const u8* destination, u16 type, u32 bytes) {
  Course course = {};
  course.verdict = verdict;
  course.to = Destination::wire;
  course.controlled = true;
  begin_frame(course, destination, port.mac, port, type, true);
  course.cut.strip = ethernet_size;
  course.cut.keep = static_cast<u16>(bytes);
  return course;
}

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
