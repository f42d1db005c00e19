// Selectors of an ingress SA against the packet that came out (RFC 4301 5.2 step 4).
#pragma once

#include "firmware_hls/esp/ip.hpp"
#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt {
namespace firmware {
namespace esp {

struct Selectors {
  abi::SelectorRecord entry[abi::selectors_per_sa];
};

// What selectors are matched against, from the packet's bytes `p`. Ports only where they are in this packet (RFC 4301
// 7). `beyond`: it has ports, but where they are was not seen.
struct TrafficKey {
  bool ipv6;
  bool has_ports;
  bool beyond;
  u8 protocol;
  u16 local_port;
  u16 remote_port;
  u8 local[16];
  u8 remote[16];
};

inline TrafficKey traffic_key(const IpHeaders& ip, const u8* p, u32 seen) {
  TrafficKey key = {};
  key.ipv6 = ip.ipv6;
  key.protocol = ip.protocol;
  for (u32 i = 0; i < 16; ++i) {
    key.local[i] = ip.ipv6 ? p[24 + i] : i < 4 ? p[16 + i] : u8{0};
    key.remote[i] = ip.ipv6 ? p[8 + i] : i < 4 ? p[12 + i] : u8{0};
  }
  const bool ports = ip.protocol == wire::protocol_tcp || ip.protocol == wire::protocol_udp ||
                     ip.protocol == wire::protocol_sctp || ip.protocol == wire::protocol_dccp;
  if (ports && !ip.non_initial_fragment && ip.total_length - ip.l4_offset >= 4) {
    key.beyond = ip.l4_offset + 4 > seen;
    key.has_ports = !key.beyond;
    if (key.has_ports) {
      key.remote_port = get16(p + ip.l4_offset);
      key.local_port = get16(p + ip.l4_offset + 2);
    }
  }
  return key;
}

inline bool in_prefix(const u8* prefix, u32 length, const u8* address) {
  u32 difference = 0;
  for (u32 i = 0; i < 16; ++i) {
    const u32 bits = length <= 8 * i ? 0 : length - 8 * i;  // of this byte
    const u32 mask = bits >= 8 ? 0xffU : (0xff00U >> bits) & 0xffU;
    difference |= (static_cast<u32>(prefix[i]) ^ address[i]) & mask;
  }
  return difference == 0;
}

inline bool matches(const abi::SelectorRecord& selector, const TrafficKey& key) {
  if (((selector.flags & abi::selector_flag::ipv6) != 0) != key.ipv6) return false;
  if (!in_prefix(selector.local, selector.local_length, key.local)) return false;
  if (!in_prefix(selector.remote, selector.remote_length, key.remote)) return false;
  if ((selector.flags & abi::selector_flag::protocol) != 0 && selector.protocol != key.protocol) return false;
  const bool local_port =
      key.has_ports && key.local_port >= selector.local_first && key.local_port <= selector.local_last;
  const bool remote_port =
      key.has_ports && key.remote_port >= selector.remote_first && key.remote_port <= selector.remote_last;
  if ((selector.flags & abi::selector_flag::local_port) != 0 && !local_port) return false;
  return (selector.flags & abi::selector_flag::remote_port) == 0 || remote_port;
}

// Any of the first `count` matches.
inline bool selected(const Selectors& selectors, u32 count, const TrafficKey& key) {
  bool match = count == 0;
  for (u32 i = 0; i < abi::selectors_per_sa; ++i) match = match || (i < count && matches(selectors.entry[i], key));
  return match;
}

// Ports decide, and they lie beyond what was seen.
inline bool undecided(const Selectors& selectors, u32 count, const TrafficKey& key) {
  bool ports = false;
  for (u32 i = 0; i < abi::selectors_per_sa; ++i) {
    const u32 flags = selectors.entry[i].flags;
    ports = ports || (i < count && (flags & (abi::selector_flag::local_port | abi::selector_flag::remote_port)) != 0);
  }
  return key.beyond && ports;
}

}  // namespace esp
}  // namespace firmware
}  // namespace linecrypt
