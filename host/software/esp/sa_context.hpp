// Contexts: one ESP SA as its packets need it, made once by make_context(). And what both directions do alike.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "host/software/aead/provider.hpp"
#include "host/software/esp/context.hpp"
#include "host/software/esp/resync.hpp"
#include "host/software/sa_head.hpp"
#include "host/software/train.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/sa_slot.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/ip_packet.hpp"
#include "linecrypt/wire/wide_store.hpp"

namespace linecrypt::software::esp {

inline constexpr std::uint32_t outer_size_max = wire::ipv6_size + wire::udp_size;
// SPI, sequence number and IV: what stands between the outer headers and the text.
inline constexpr std::uint32_t esp_front = wire::esp_header_size + wire::esp_iv_size;

// Contexts are 128 bytes: what every packet of an SA over IPv4 needs stands in the first cache line, longer headers and
// addresses and what seldom happens in the second.

using WireSpi = std::array<std::uint8_t, 4>;

struct Settings {
  std::array<std::uint8_t, 4> salt{};
  WireSpi spi{};
  bool plain = false;  // Shape::plain
  bool tunnel = false;
  bool esn = false;
  bool gmac = false;
  bool udp = false;
  bool ecn = false;
  wire::HeaderChecksum inner_checksum = wire::HeaderChecksum::verify;
  Family outer_family = Family::ipv4;
};

struct EgressSettings : Settings {
  // The outer header's TOS or traffic class, and in IPv4's flags DF: these bits of the inner packet's, and these.
  std::uint8_t class_copied = 0;
  std::uint8_t class_set = 0;
  std::uint8_t flags_copied = 0;
  std::uint8_t flags_set = 0;
  bool decrement_ttl = false;
  bool flow_label_copy = false;
  std::uint8_t outer_size = 0;  // tunnel mode: IP and UDP headers; transport mode: UDP
  std::uint16_t tfc_pad_to = 0;
  std::uint16_t header_sum = 0;  // IPv4: one's-complement sum of the header from TTL on, its checksum taken for 0
  std::array<std::uint8_t, outer_size_max> header{};  // they, with all fields that never change
  std::uint32_t flow_label = 0;
  SaLimits limits;  // SaSlot::limits points here
};

// What an ingress SA's packets must carry inside. Apart from the context: most SAs need none or few.
using Selectors = std::vector<Selector>;

struct IngressSettings : Settings {
  bool verify_outer = false;
  bool verify_ports = false;
  bool dscp_copy_in = false;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  const Selectors* selectors = nullptr;  // none: anything. destroy_context() ends them
  // The two ends, source first, of outer_family's size each.
  std::array<std::uint8_t, 32> ends{};
  SaLimits limits;
};

// Worker's: the identification of the next outer IPv4 header that may be fragmented.
struct Identification {
  std::uint16_t identification = 0;
};

// Settings of a live SA are read by the control thread (SetPeer); what workers write stands apart from them.
struct EgressContext : ContextHead, Identification, EgressSettings {};
struct IngressContext : ContextHead, Resync, IngressSettings {
  ResyncTally resync_tally;
};
static_assert(sizeof(EgressContext) <= context_size_largest && sizeof(IngressContext) <= context_size_largest);

template <typename Context>
[[nodiscard]] inline Context& context_of(const Train& train) noexcept {
  return *static_cast<Context*>(train.context);
}

// Most SAs are tunnels over IPv4 with ESN and encryption, and without UDP, TFC padding and a TTL to lower, and
// have the inner header's checksum verified. Their packets go through functions that know it, and do not ask for each
// packet what never changes.
enum class Shape : std::uint8_t { any, plain };

// Settings as functions for one shape ask for them.
template <Shape shape>
struct Of {
  static constexpr bool plain = shape == Shape::plain;
  static bool esn(const Settings& settings) noexcept { return plain || settings.esn; }
  static bool gmac(const Settings& settings) noexcept { return !plain && settings.gmac; }
  static bool udp(const Settings& settings) noexcept { return !plain && settings.udp; }
  static bool decrement_ttl(const EgressSettings& settings) noexcept { return !plain && settings.decrement_ttl; }
  static wire::HeaderChecksum inner_checksum(const Settings& settings) noexcept {
    return plain ? wire::HeaderChecksum::verify : settings.inner_checksum;
  }
  static Family outer_family(const Settings& settings) noexcept { return plain ? Family::ipv4 : settings.outer_family; }
};

// Nonce and associated data of packet `number`, whose SPI, sequence number and IV are written at `esp`, with
// `text_length` bytes of text behind them and the ICV behind the text. `iv` is the eight bytes of the IV. `aad` has
// room for 16 bytes and stays with `op`.
//
// 1. Nonce: salt, IV (RFC 4106 4).
// 2. Associated data: SPI and the number, of which ESN's high half is not on the wire (RFC 4106 5, RFC 4543 3.3).
// 3. GMAC: IV and text are associated data too, and nothing is encrypted (RFC 4543 3.3).
template <Shape shape, typename Context>
[[gnu::always_inline]] inline void fill_aead(const Context& context, std::uint64_t number, std::uint8_t* aad,
                                             AeadOp& op, std::uint8_t* esp, std::uint64_t iv,
                                             std::uint32_t text_length) noexcept {
  std::uint8_t* const text = esp + esp_front;
  // 1.
  op.set_iv(wire::bytes4(context.salt.data()), iv);
  // 2.
  const std::uint8_t* head = esp;
  std::uint32_t head_length = wire::esp_header_size;
  if (Of<shape>::esn(context)) {
    wire::put12(aad, wire::bytes4(context.spi.data()), wire::bytes_of(number));
    head = aad;
    head_length = 12;
  }
  // 3.
  std::uint8_t* const icv = text + text_length;
  if (Of<shape>::gmac(context))
    op.set(context.key, head, head_length, esp + wire::esp_header_size, wire::esp_iv_size + text_length, text, 0, icv);
  else
    op.set(context.key, head, head_length, nullptr, 0, text, text_length, icv);
}

// False: the job's l2 header does not fit the frame. 0 bytes are a bare IP packet.
[[nodiscard]] inline bool l2_header_fits(const Packet& packet, std::uint32_t l2_length) noexcept {
  return l2_length == 0 || (l2_length >= wire::ethernet_size && l2_length <= packet.length);
}

// A packet of the common kind: IPv4 without options behind an Ethernet header without tags. Most are.
[[nodiscard, gnu::always_inline]] inline bool is_common(const Packet& packet, const Job& job) noexcept {
  return job.l2_length == wire::ethernet_size && packet.length >= wire::ethernet_size + wire::ipv4_size &&
         packet.data[wire::ethernet_size] == wire::ipv4_no_options;
}

// Moves the l2 header of `length` bytes that ends before `from` to before `to`, where it names a packet of `family`.
// Nearly all are untagged Ethernet and cost no call. Precondition: l2_header_fits(), and two bytes each at `from` and
// `to`.
[[gnu::always_inline]] inline void move_l2(std::uint8_t* to, const std::uint8_t* from, std::uint32_t length,
                                           Family family) noexcept {
  const std::uint16_t type = family == Family::ipv4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6;
  if (length == wire::ethernet_size) [[likely]] {
    wire::move_ethernet(to - wire::ethernet_size, from - wire::ethernet_size, type);
  } else if (length != 0) {
    std::memmove(to - length, from - length, length);
    wire::store16(to - 2, type);
  }
}

// Writes an IP header's length for a packet of `total` bytes, and the IPv4 checksum.
inline void set_total_length(std::uint8_t* ip, std::uint32_t total) noexcept {
  if (ip[0] >> 4U == 4) {
    wire::store16(ip + wire::ipv4_total_length, static_cast<std::uint16_t>(total));
    wire::ipv4_set_checksum(ip, (ip[0] & 0x0fU) * 4U);
  } else {
    wire::store16(ip + wire::ipv6_payload_length, static_cast<std::uint16_t>(total - wire::ipv6_size));
  }
}

}  // namespace linecrypt::software::esp
