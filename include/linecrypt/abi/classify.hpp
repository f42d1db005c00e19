// Bump-in-the-wire: what the host loads into a card whose ports are its own (Table::classify of Block::egress_port and
// Block::ingress_port), and the frames that go between such a card and the host.
//
// Port 0 is the clear side, port 1 the black side. A policy is published as a whole: its words are loaded beside the
// one in force, in order, and one commit puts them in its place, in order with the packets. Each direction has all
// words.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt {
namespace abi {

constexpr std::uint32_t inline_port_count = 2;
constexpr std::uint32_t clear_port = 0;
constexpr std::uint32_t black_port = 1;

// ---- Table::classify: indexes ----

constexpr std::uint32_t policy_entries_most = 64;   // a card says in reg::classify_count how many it has
constexpr std::uint32_t classify_port = 0x100;      // + port: PortWord
constexpr std::uint32_t classify_address = 0x110;   // + 0..own_address_words-1: OwnAddresses
constexpr std::uint32_t classify_counters = 0x120;  // read only, + PortCounter: PortCounts
constexpr std::uint32_t own_address_words = 4;

// What a card does with a packet that an entry matches.
enum class PolicyAction : std::uint8_t { discard = 0, protect = 1, bypass = 2 };

// One entry: a selector as SelectorRecord, and what follows from it. "local" is the clear side in both directions:
// source on egress, destination on ingress. The first entry that matches counts; none: discard.
struct ClassifyEntry {
  std::uint8_t local[16];  // host bits are zero
  std::uint8_t remote[16];
  std::uint8_t local_length;
  std::uint8_t remote_length;
  std::uint8_t protocol;
  std::uint8_t flags;  // selector_flag
  std::uint16_t local_first, local_last;
  std::uint16_t remote_first, remote_last;
  PolicyAction action;
  std::uint8_t reserved0;
  std::uint16_t largest;  // egress: bytes of the largest clear packet that may be protected; 0: the port's MTU
  JobStage sa;            // protect, egress; generation 0: there is none, and its packets are dropped
  std::uint8_t reserved1[8];
};
static_assert(sizeof(ClassifyEntry) == word_bytes, "ClassifyEntry is one table word");
static_assert(offsetof(ClassifyEntry, local) == offsetof(SelectorRecord, local), "begins as SelectorRecord");
static_assert(offsetof(ClassifyEntry, remote) == offsetof(SelectorRecord, remote), "begins as SelectorRecord");
static_assert(offsetof(ClassifyEntry, local_length) == offsetof(SelectorRecord, local_length), "as SelectorRecord");
static_assert(offsetof(ClassifyEntry, remote_length) == offsetof(SelectorRecord, remote_length), "as SelectorRecord");
static_assert(offsetof(ClassifyEntry, protocol) == offsetof(SelectorRecord, protocol), "begins as SelectorRecord");
static_assert(offsetof(ClassifyEntry, flags) == offsetof(SelectorRecord, flags), "begins as SelectorRecord");
static_assert(offsetof(ClassifyEntry, local_first) == offsetof(SelectorRecord, local_first), "as SelectorRecord");
static_assert(offsetof(ClassifyEntry, local_last) == offsetof(SelectorRecord, local_last), "as SelectorRecord");
static_assert(offsetof(ClassifyEntry, remote_first) == offsetof(SelectorRecord, remote_first), "as SelectorRecord");
static_assert(offsetof(ClassifyEntry, remote_last) == offsetof(SelectorRecord, remote_last), "as SelectorRecord");
static_assert(offsetof(ClassifyEntry, action) == 44, "ABI");
static_assert(offsetof(ClassifyEntry, largest) == 46, "ABI");
static_assert(offsetof(ClassifyEntry, sa) == 48, "ABI");

namespace port_flag {
constexpr std::uint8_t macsec = 1U << 0U;  // black side: a SecY stands between the port and everything else
constexpr std::uint8_t strict = 1U << 1U;  // its validateFrames: frames without a SecTAG are dropped
constexpr std::uint8_t xpn = 1U << 2U;     // its cipher suite has 64-bit packet numbers
}  // namespace port_flag

constexpr std::uint32_t port_tags_most = 2;
constexpr std::uint32_t udp_ports_most = 4;

// One port of the gateway that the card is.
struct PortWord {
  std::uint8_t mac[6];       // the port's own
  std::uint8_t next_hop[6];  // of the one neighbour that gets what is forwarded out of this port; zero: not resolved
  std::uint16_t mtu;         // of IP packets
  std::uint8_t flags;        // port_flag
  std::uint8_t tags;         // 0..2 VLAN tags that each frame has on this port
  std::uint32_t tag[port_tags_most];       // TPID << 16 | VID
  std::uint16_t udp_port[udp_ports_most];  // black side: where UDP encapsulated ESP arrives; 0: none
  JobStage macsec_sa;                      // black side: transmits
  std::uint8_t macsec_tags;                // of `tag`, those in front of the SecTAG
  std::uint8_t reserved[23];
};
static_assert(sizeof(PortWord) == word_bytes, "PortWord is one table word");
static_assert(offsetof(PortWord, mac) == 0, "ABI");
static_assert(offsetof(PortWord, next_hop) == 6, "ABI");
static_assert(offsetof(PortWord, mtu) == 12, "ABI");
static_assert(offsetof(PortWord, flags) == 14, "ABI");
static_assert(offsetof(PortWord, tags) == 15, "ABI");
static_assert(offsetof(PortWord, tag) == 16, "ABI");
static_assert(offsetof(PortWord, udp_port) == 24, "ABI");
static_assert(offsetof(PortWord, macsec_sa) == 32, "ABI");
static_assert(offsetof(PortWord, macsec_tags) == 40, "ABI");

namespace address_flag {
constexpr std::uint8_t present = 1U << 0U;
constexpr std::uint8_t ipv6 = 1U << 1U;
constexpr std::uint8_t black = 1U << 2U;  // the black port's; else the clear port's
}  // namespace address_flag

// An address of the gateway's own.
struct OwnAddress {
  std::uint8_t address[16];  // IPv4: the first 4 bytes
  std::uint8_t length;       // of the network on the port's link
  std::uint8_t flags;        // address_flag
  std::uint8_t reserved[2];
};
static_assert(sizeof(OwnAddress) == 20, "ABI");
static_assert(offsetof(OwnAddress, length) == 16, "ABI");
static_assert(offsetof(OwnAddress, flags) == 17, "ABI");

constexpr std::uint32_t addresses_per_word = 3;
constexpr std::uint32_t own_addresses_most = addresses_per_word * own_address_words;

struct OwnAddresses {
  OwnAddress address[addresses_per_word];
  std::uint8_t reserved[4];
};
static_assert(sizeof(OwnAddresses) == word_bytes, "OwnAddresses is one table word");

// ---- what the ports count ----

enum class PortCounter : std::uint8_t { receive = 0, transmit = 1, to_host = 2 };
constexpr std::uint32_t port_counters = 3;

// Payload of `read` of Table::classify at classify_counters + PortCounter. egress_port counts the clear port's receive
// and the black port's transmit, ingress_port the reverse; each its own frames to the host. Verdicts of frames are
// Table::verdicts of the same block.
struct PortCounts {
  std::uint64_t frames;    // whole and good, handed on
  std::uint64_t bytes;     // of them, without FCS
  std::uint64_t bad_fcs;   // receive: the MAC said so
  std::uint64_t oversize;  // receive: longer than frame_largest
  std::uint64_t no_room;   // receive, to_host: dropped whole
  std::uint64_t closed;    // came while the card was not enabled; to_host: or were still here
  std::uint64_t padded;    // transmit: shorter than 60 bytes
  std::uint64_t reserved;
};
static_assert(sizeof(PortCounts) == word_bytes, "PortCounts is one table word");
static_assert(offsetof(PortCounts, bytes) == 8, "ABI");
static_assert(offsetof(PortCounts, bad_fcs) == 16, "ABI");
static_assert(offsetof(PortCounts, oversize) == 24, "ABI");
static_assert(offsetof(PortCounts, no_room) == 32, "ABI");
static_assert(offsetof(PortCounts, closed) == 40, "ABI");
static_assert(offsetof(PortCounts, padded) == 48, "ABI");

// ---- frames between the card and its host ----

namespace host_frame {
constexpr std::uint8_t validated = 1U << 0U;     // came out of a MACsec SA
constexpr std::uint8_t decapsulated = 1U << 1U;  // came out of an ESP SA: never for the black side's companion
}  // namespace host_frame

// In front of each frame in the ring of exceptions (card to host) and of injected frames (host to card).
struct HostFrame {
  std::uint32_t epoch;
  std::uint32_t number;  // free running: its place in the ring is number % size
  std::uint16_t length;  // of the frame, which follows
  std::uint8_t port;     // exception: where it came in; injected: where it is to leave
  std::uint8_t verdict;  // exception: VerdictCode, why it is here: exempt, punted, or what the host is to answer
  std::uint8_t flags;    // exception: host_frame
  std::uint8_t reserved[51];
};
static_assert(sizeof(HostFrame) == word_bytes, "HostFrame is one word");
static_assert(offsetof(HostFrame, number) == 4, "ABI");
static_assert(offsetof(HostFrame, length) == 8, "ABI");
static_assert(offsetof(HostFrame, port) == 10, "ABI");
static_assert(offsetof(HostFrame, verdict) == 11, "ABI");
static_assert(offsetof(HostFrame, flags) == 12, "ABI");

// Bytes of an entry of either ring.
constexpr std::uint32_t host_frame_slot = word_bytes + frame_largest;
static_assert(host_frame_slot % word_bytes == 0, "entries are aligned");

}  // namespace abi
}  // namespace linecrypt
