// What the host loads into the card's tables for one SA: words of 64 bytes, little endian unless a field says
// otherwise.
//
// The host has expanded all that a packet would need expanded: round keys, powers of H, the IV's constant part. Keys
// travel to the card only; no command returns a KeyEntry.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/abi/key_entry.hpp"
#include "linecrypt/abi/rings.hpp"

namespace linecrypt {
namespace abi {

// JobStage::index of an ingress packet whose SA the card finds itself: by SPI, or by SCI and AN (in-line ports).
constexpr std::uint32_t find_by_hash = 0xffffffffU;

// ---- Table::key: KeyEntry of key_entry.hpp ----
//
// KeyEntry::salt is the IV without the number: bytes 4..11 of it are xored with the 64-bit number, most significant
// byte first. ESP: salt, then zeros (RFC 4106 4); MACsec: SCI, then zeros, or with XPN salt xor SSCI (14.5, 14.7).

// ---- Table::record of the ESP blocks: word 0 is EspRecord, words 1.. are SelectorRecords (ingress) ----

namespace esp_flag {
constexpr std::uint16_t tunnel = 1U << 0U;
constexpr std::uint16_t outer_ipv6 = 1U << 1U;  // transport mode: the family of the two ends
constexpr std::uint16_t esn = 1U << 2U;
constexpr std::uint16_t gmac = 1U << 3U;
constexpr std::uint16_t udp = 1U << 4U;
constexpr std::uint16_t ecn = 1U << 5U;
constexpr std::uint16_t dscp_copy_out = 1U << 6U;
constexpr std::uint16_t dscp_copy_in = 1U << 7U;
constexpr std::uint16_t decrement_ttl = 1U << 8U;
constexpr std::uint16_t flow_label_copy = 1U << 9U;
constexpr std::uint16_t verify_outer = 1U << 10U;
constexpr std::uint16_t verify_ports = 1U << 11U;
constexpr std::uint16_t carry_inner_checksum = 1U << 12U;  // ABI 1.2; an older card refuses a wrong one
}  // namespace esp_flag

struct EspRecord {
  std::uint32_t spi;
  std::uint32_t flow_label;  // of the outer IPv6 header where it is not copied
  std::uint8_t source[16];   // IPv4: the first 4 bytes; network order
  std::uint8_t destination[16];
  std::uint16_t source_port;
  std::uint16_t destination_port;
  std::uint16_t tfc_pad_to;
  std::uint16_t flags;  // esp_flag
  std::uint8_t df;      // linecrypt::DfPolicy
  std::uint8_t dscp;    // 0..63
  std::uint8_t hop_limit;
  std::uint8_t selectors;       // 0: anything; else as many words of SelectorRecord
  std::uint16_t replay_window;  // 0, 64..4096
  std::uint8_t reserved[10];
};
static_assert(sizeof(EspRecord) == word_bytes, "EspRecord is one table word");
static_assert(offsetof(EspRecord, source) == 8, "ABI");
static_assert(offsetof(EspRecord, source_port) == 40, "ABI");
static_assert(offsetof(EspRecord, df) == 48, "ABI");
static_assert(offsetof(EspRecord, replay_window) == 52, "ABI");

// What the inner packet must match (RFC 4301 4.4.1.1). "local" is this side: its destination.
namespace selector_flag {
constexpr std::uint8_t ipv6 = 1U << 0U;
constexpr std::uint8_t protocol = 1U << 1U;    // `protocol` counts
constexpr std::uint8_t local_port = 1U << 2U;  // the range of local ports is not 0-65535
constexpr std::uint8_t remote_port = 1U << 3U;
}  // namespace selector_flag

struct SelectorRecord {
  std::uint8_t local[16];  // host bits are zero
  std::uint8_t remote[16];
  std::uint8_t local_length;
  std::uint8_t remote_length;
  std::uint8_t protocol;
  std::uint8_t flags;  // selector_flag
  std::uint16_t local_first, local_last;
  std::uint16_t remote_first, remote_last;
  std::uint8_t reserved[20];
};
static_assert(sizeof(SelectorRecord) == word_bytes, "SelectorRecord is one table word");
static_assert(offsetof(SelectorRecord, local_length) == 32, "ABI");
static_assert(offsetof(SelectorRecord, local_first) == 36, "ABI");
constexpr std::uint32_t selectors_per_sa = 4;  // what the card has room for: Capabilities::max_selectors
constexpr std::uint32_t record_words = 1 + selectors_per_sa;

// ---- Table::record of the MACsec blocks: one word ----

namespace macsec_flag {
constexpr std::uint16_t xpn = 1U << 0U;
constexpr std::uint16_t encrypt = 1U << 1U;
constexpr std::uint16_t source_is_sci = 1U
                                        << 2U;  // egress with ES or SCB: the peer takes the SCI from the source address
constexpr std::uint16_t replay_protect = 1U << 3U;
}  // namespace macsec_flag

struct MacsecRecord {
  std::uint64_t sci;
  std::uint32_t clear_tag[2];   // TPID << 16 | VID of the VLAN tags in clear
  std::uint32_t replay_window;  // IEEE 802.1AE-2018 10.6.2
  std::uint32_t bitmap;         // 0, or numbers below the top in which duplicates are known: 64..4096
  std::uint16_t flags;          // macsec_flag
  std::uint8_t clear_tags;      // 0..2
  std::uint8_t an;              // 0..3
  std::uint8_t validate;        // linecrypt::ValidateFrames
  std::uint8_t tci_an;          // egress: of our own SecTAG
  std::uint8_t tag_size;        // egress: 8 or 16
  std::uint8_t reserved[33];
};
static_assert(sizeof(MacsecRecord) == word_bytes, "MacsecRecord is one table word");
static_assert(offsetof(MacsecRecord, flags) == 24, "ABI");
static_assert(offsetof(MacsecRecord, tag_size) == 30, "ABI");

// ---- Table::number: 2 words; who enforces numbers and lifetimes owns them ----

namespace number_flag {
constexpr std::uint16_t wide = 1U << 0U;  // 64-bit numbers: ESN, XPN
}  // namespace number_flag

struct NumberEntry {
  std::uint64_t begin;           // egress: the first lease [begin, end)
  std::uint64_t end;             // ingress: accept ceiling, the first number not accepted; 0: none
  std::uint64_t window_top;      // ingress: numbers up to it count as seen
  std::uint64_t lowest;          // MACsec ingress: lowest acceptable PN
  std::uint64_t soft_limit;      // MACsec egress: event when the next PN reaches it; 0: none
  std::uint16_t identification;  // ESP egress: of the first outer IPv4 header that may be fragmented
  std::uint16_t flags;           // number_flag
  std::uint8_t reserved[20];
};
static_assert(sizeof(NumberEntry) == word_bytes, "NumberEntry is one table word");
static_assert(offsetof(NumberEntry, identification) == 40, "ABI");

struct LifetimeEntry {  // 0: no limit; seconds are the host's
  std::uint64_t soft_packets, soft_bytes;
  std::uint64_t hard_packets, hard_bytes;
  std::uint8_t reserved[32];
};
static_assert(sizeof(LifetimeEntry) == word_bytes, "LifetimeEntry is one table word");
constexpr std::uint32_t number_words = 2;

// ---- Table::hash: one word a bucket, `hash_slots` entries; an entry stands in one of its two buckets ----

struct HashEntry {
  std::uint64_t key;  // ESP: SPI; MACsec: SCI
  std::uint32_t an;   // MACsec: 0..3, + hash_implicit where a frame names no SCI
  std::uint32_t index;
  std::uint32_t generation;  // 0: empty
  std::uint8_t reserved[12];
};
static_assert(sizeof(HashEntry) == 32, "two entries a bucket");
constexpr std::uint32_t hash_slots = 2;
constexpr std::uint32_t hash_ways = 2;      // buckets an entry may stand in
constexpr std::uint32_t hash_implicit = 4;  // `an` of an SA that is found without an SCI (key 0)

// The bucket of a key under way 0 or 1. `buckets` is a power of two. The host places entries so that each is found;
// the card only reads, so the function needs no secret.
constexpr std::uint32_t hash_bucket(std::uint64_t key, std::uint32_t an, std::uint32_t way, std::uint32_t buckets) {
  std::uint64_t x = (key ^ (static_cast<std::uint64_t>(an) << 61U)) + (way != 0 ? 0x9e3779b97f4a7c15ULL : 0);
  x ^= x >> 33U;
  x *= way != 0 ? 0xc4ceb9fe1a85ec53ULL : 0xff51afd7ed558ccdULL;
  x ^= x >> 29U;
  return static_cast<std::uint32_t>(x >> 7U) & (buckets - 1);
}

// ---- the answer to CommandOp::read ----

// Table::none: one SA. Payload of the command when it has left the last process of its block.
struct SaState {
  std::uint64_t next_number;  // egress: the next number; ingress: the window's top
  std::uint64_t lease_end;    // egress: first number not lent; ingress: the accept ceiling
  std::uint64_t packets;      // accepted or protected
  std::uint64_t bytes;        // their inner bytes, as LifetimeLimit::bytes
  std::uint64_t flags;        // bit 0 expired, bit 1 a lease is waiting
  std::uint8_t reserved[24];
};
static_assert(sizeof(SaState) == word_bytes, "SaState is one table word");

// Table::verdicts (index = the first of 8): packets the block gave each verdict.
struct VerdictCounts {
  std::uint64_t count[8];
};
static_assert(sizeof(VerdictCounts) == word_bytes, "VerdictCounts is one table word");

}  // namespace abi
}  // namespace linecrypt
