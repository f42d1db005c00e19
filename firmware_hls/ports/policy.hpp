// The policy of one direction: ordered entries, the two ports, the gateway's own addresses. Loaded word by word beside
// the one in force, and put in its place by one commit, in order with the packets.
#pragma once

#include "firmware_hls/base/packet_info.hpp"
#include "firmware_hls/base/pragmas.hpp"
#include "firmware_hls/esp/selectors.hpp"
#include "firmware_hls/ports/scope.hpp"
#include "firmware_hls/tables/decode.hpp"
#include "linecrypt/abi/classify.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

struct Entry {
  abi::SelectorRecord selector;
  abi::PolicyAction action;
  u16 largest;
  abi::JobStage sa;
};

template <u32 N>
struct Policy {
  bool open;  // a policy was published; without one nothing passes
  u32 count;
  Entry entry[N];
  abi::PortWord port[abi::inline_port_count];
  abi::OwnAddress own[abi::own_addresses_most];
};

// ---- words ----

// An action that the kernel does not know is a discard.
inline Entry decode_entry(const u8* p) {
  Entry entry = {};
  entry.selector = decode_selector(p);
  entry.action = p[44] == static_cast<u8>(abi::PolicyAction::protect)  ? abi::PolicyAction::protect
                 : p[44] == static_cast<u8>(abi::PolicyAction::bypass) ? abi::PolicyAction::bypass
                                                                       : abi::PolicyAction::discard;
  entry.largest = little16(p + 46);
  entry.sa.index = little32(p + 48);
  entry.sa.generation = little32(p + 52);
  return entry;
}

inline abi::PortWord decode_port(const u8* p) {
  abi::PortWord port = {};
  for (u32 i = 0; i < mac_size; ++i) {
    port.mac[i] = p[i];
    port.next_hop[i] = p[6 + i];
  }
  port.mtu = little16(p + 12);
  port.flags = p[14];
  port.tags = p[15] <= abi::port_tags_most ? p[15] : static_cast<u8>(abi::port_tags_most);
  for (u32 i = 0; i < abi::port_tags_most; ++i) port.tag[i] = little32(p + 16 + 4 * i);
  for (u32 i = 0; i < abi::udp_ports_most; ++i) port.udp_port[i] = little16(p + 24 + 2 * i);
  port.macsec_sa.index = little32(p + 32);
  port.macsec_sa.generation = little32(p + 36);
  port.macsec_tags = p[40] <= port.tags ? p[40] : port.tags;
  return port;
}

inline abi::OwnAddress decode_own(const u8* p) {
  abi::OwnAddress own = {};
  for (u32 i = 0; i < 16; ++i) own.address[i] = p[i];
  own.length = p[16];
  own.flags = p[17];
  return own;
}

// ---- questions ----

// `black` says whose address: the black or the clear port's.
template <u32 N>
bool owns(const Policy<N>& policy, bool black, bool ipv6, const u8* address) {
  bool found = false;
  for (u32 i = 0; i < abi::own_addresses_most; ++i) {
    LINECRYPT_UNROLL
    const abi::OwnAddress& own = policy.own[i];
    const u8 wanted = static_cast<u8>(abi::address_flag::present | (ipv6 ? abi::address_flag::ipv6 : 0U) |
                                      (black ? abi::address_flag::black : 0U));
    found = found || (own.flags == wanted && equal_bytes(own.address, address, ipv6 ? 16U : 4U));
  }
  return found;
}

// Of either port; a link-local address is only its own link's.
template <u32 N>
bool owned(const Policy<N>& policy, bool ipv6, const u8* address) {
  return !is_link_local(ipv6, address) && (owns(policy, false, ipv6, address) || owns(policy, true, ipv6, address));
}

// On the link of `black`'s port, as the networks of its own addresses say.
template <u32 N>
bool on_link(const Policy<N>& policy, bool black, bool ipv6, const u8* address) {
  bool found = false;
  for (u32 i = 0; i < abi::own_addresses_most; ++i) {
    LINECRYPT_UNROLL
    const abi::OwnAddress& own = policy.own[i];
    const u8 wanted = static_cast<u8>(abi::address_flag::present | (ipv6 ? abi::address_flag::ipv6 : 0U) |
                                      (black ? abi::address_flag::black : 0U));
    // Host bits of an own address are set: the network is compared by both sides' bits.
    u32 difference = 0;
    for (u32 j = 0; j < 16; ++j) {
      const u32 bits = own.length <= 8 * j ? 0 : own.length - 8 * j;
      const u32 mask = bits >= 8 ? 0xffU : (0xff00U >> bits) & 0xffU;
      difference |= (static_cast<u32>(own.address[j]) ^ address[j]) & mask;
    }
    found = found || (own.flags == wanted && difference == 0 && !is_link_local(ipv6, own.address));
  }
  return found;
}

// 255.255.255.255, or all hosts of a network of this port.
template <u32 N>
bool is_broadcast(const Policy<N>& policy, bool black, bool ipv6, const u8* address) {
  if (ipv6) return false;
  bool found = get32(address) == 0xffffffffU;
  for (u32 i = 0; i < abi::own_addresses_most; ++i) {
    LINECRYPT_UNROLL
    const abi::OwnAddress& own = policy.own[i];
    const u8 wanted = static_cast<u8>(abi::address_flag::present | (black ? abi::address_flag::black : 0U));
    const u32 hosts = own.length >= 32 ? 0U : 0xffffffffU >> own.length;
    found = found || (own.flags == wanted && own.length <= 30 && get32(address) == (get32(own.address) | hosts));
  }
  return found;
}

struct Match {
  bool found;
  bool undecided;  // ports decide, and they lie beyond what the kernel sees of a packet
  Entry entry;
};

// RFC 4301 4.4.1: the first entry whose selector matches. A non-initial fragment has no ports, so it matches none that
// names some (RFC 4301 7).
template <u32 N>
Match first_match(const Policy<N>& policy, const esp::TrafficKey& key) {
  Match match = {};
  bool ports = false;
  for (u32 i = 0; i < N; ++i) {
    LINECRYPT_UNROLL
    if (i >= policy.count) continue;
    const u32 flags = policy.entry[i].selector.flags;
    ports = ports || (flags & (abi::selector_flag::local_port | abi::selector_flag::remote_port)) != 0;
    if (match.found || !esp::matches(policy.entry[i].selector, key)) continue;
    match.found = true;
    match.entry = policy.entry[i];
  }
  match.undecided = key.beyond && ports;
  return match;
}

// The key with the local side where the source is.
inline esp::TrafficKey turned(const esp::TrafficKey& key) {
  esp::TrafficKey out = key;
  for (u32 i = 0; i < 16; ++i) {
    out.local[i] = key.remote[i];
    out.remote[i] = key.local[i];
  }
  out.local_port = key.remote_port;
  out.remote_port = key.local_port;
  return out;
}

// ---- the table ----

// Owned by one process. All words must have come since the last commit: nothing of an older policy stays by accident.
template <u32 N>
class PolicyTable {
 public:
  PolicyTable() : live_(), staged_(), next_(0), loaded_(0) {}

  const Policy<N>& live() const { return live_; }

  // `load` and `commit` for `block`. False: refused.
  bool configure(const ConfigWord& config, abi::Block block) {
    if (config.block != block) return true;
    if (config.op == abi::CommandOp::commit) return commit(config);
    if (config.op != abi::CommandOp::load || config.table != abi::Table::classify) return true;
    u8 word[abi::word_bytes];
    to_bytes(config.payload, word);
    return config.word == 0 && load(config.index, word);
  }

 private:
  static constexpr u32 all_loaded = (1U << (abi::inline_port_count + abi::own_address_words)) - 1;

  // 1. Entries in order; the first one begins anew.
  // 2. Ports and addresses, in any order.
  bool load(u32 index, const u8* word) {
    // 1.
    if (index < N) {
      if (index == 0) next_ = 0;
      if (index != next_) return false;
      const Entry entry = decode_entry(word);
      for (u32 i = 0; i < N; ++i) {
        LINECRYPT_UNROLL
        if (i == index) staged_.entry[i] = entry;
      }
      ++next_;
      return true;
    }
    // 2.
    bool known = false;
    for (u32 i = 0; i < abi::inline_port_count; ++i) {
      LINECRYPT_UNROLL
      if (index != abi::classify_port + i) continue;
      staged_.port[i] = decode_port(word);
      loaded_ |= 1U << i;
      known = true;
    }
    for (u32 i = 0; i < abi::own_address_words; ++i) {
      LINECRYPT_UNROLL
      if (index != abi::classify_address + i) continue;
      for (u32 j = 0; j < abi::addresses_per_word; ++j) {
        LINECRYPT_UNROLL
        staged_.own[i * abi::addresses_per_word + j] = decode_own(word + sizeof(abi::OwnAddress) * j);
      }
      loaded_ |= 1U << (abi::inline_port_count + i);
      known = true;
    }
    return known;
  }
  // `index`: how many entries there are. Generation 0 closes: nothing passes. Whatever comes of it, what was loaded is
  // gone.
  bool commit(const ConfigWord& config) {
    const bool closes = config.generation == 0;
    const bool whole = config.index == next_ && loaded_ == all_loaded;
    if (closes) {
      live_ = Policy<N>();
    } else if (whole) {
      live_ = staged_;
      live_.count = next_;
      live_.open = true;
    }
    staged_ = Policy<N>();
    next_ = 0;
    loaded_ = 0;
    return closes || whole;
  }

  Policy<N> live_;
  Policy<N> staged_;
  u32 next_;
  u32 loaded_;
};

template <u32 N>
constexpr u32 PolicyTable<N>::all_loaded;

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
