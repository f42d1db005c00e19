// ESP egress: clear IP packet -> ESP (RFC 4303 3.3): what is known before the number (plan), and the headers with it
// (build). The same results as host/software/esp/encapsulate.cpp.
#pragma once

#include "firmware_hls/esp/ip.hpp"
#include "firmware_hls/tables/shape.hpp"
#include "firmware_hls/tables/window.hpp"
#include "linecrypt/abi/sa_record.hpp"
#include "linecrypt/abi/verdicts.hpp"

namespace linecrypt {
namespace firmware {
namespace esp {

using abi::VerdictCode;

constexpr u32 headers_largest = 80;  // of a transport mode packet, up to ESP: with l2, UDP and ESP they are one head

inline bool has(const abi::EspRecord& record, u16 flag) {
  return (record.flags & flag) != 0;
}

// What a packet is like, once and for all stages behind.
struct EncapsulatePlan {
  VerdictCode verdict;        // pending: go on
  bool takes_identification;  // the outer IPv4 header may be fragmented
  u16 l2;
  u16 copied;   // tunnel mode: bytes of the inner header that are written anew (TTL); transport mode: of the IP headers
  u16 total;    // of the clear packet
  u16 text;     // bytes that are encrypted, trailer included
  u16 counted;  // as LifetimeLimit::bytes
  u8 pad;       // 0..3
  u8 next_header;
  IpHeaders ip;
};

// RFC 4303 3.3, before the number is taken.
//
// 1. The l2 header, and the packet behind it: whole and valid.
// 2. Transport mode protects whole datagrams only (RFC 4303 3.3.4).
// 3. TTL, where this gateway is the forwarder (RFC 4301 5.1.2.1).
// 4. Sizes: TFC padding fills the packet up to a size (RFC 4303 2.7), padding ends on four bytes (RFC 4303 2.4).
inline EncapsulatePlan plan_encapsulate(const abi::EspRecord& record, const Window& window, u32 l2, u32 length) {
  EncapsulatePlan plan = {};
  plan.verdict = VerdictCode::pending;
  plan.l2 = static_cast<u16>(l2);
  // 1.
  if (length > abi::frame_largest) {
    plan.verdict = VerdictCode::oversize;
    return plan;
  }
  if (l2 != 0 && (l2 < 14 || l2 > length)) {
    plan.verdict = VerdictCode::malformed_ethernet;
    return plan;
  }
  if (l2 > l2_largest) {
    plan.verdict = VerdictCode::unsupported;
    return plan;
  }
  const Window ip_window = shifted(window, l2);
  const u32 available = length - l2;
  const u32 room = window_bytes - l2;
  plan.ip = parse_ip(ip_window.byte, available, available < room ? available : room,
                     has(record, abi::esp_flag::carry_inner_checksum));
  const IpHeaders& ip = plan.ip;
  if (ip.unsupported) {
    plan.verdict = VerdictCode::unsupported;
    return plan;
  }
  if (!ip.valid) {
    plan.verdict = VerdictCode::malformed_ip;
    return plan;
  }
  const bool tunnel = has(record, abi::esp_flag::tunnel);
  const bool udp = has(record, abi::esp_flag::udp);
  // 2.
  if (!tunnel && (ip.fragment || ip.esp_offset > headers_largest)) {
    plan.verdict = VerdictCode::unsupported;
    return plan;
  }
  if (!tunnel && udp && ip.ipv6) {  // its checksum would cover the ciphertext; check() refuses such SAs
    plan.verdict = VerdictCode::unsupported;
    return plan;
  }
  // 3.
  if (has(record, abi::esp_flag::decrement_ttl) && ip.hop_limit <= 1) {
    plan.verdict = VerdictCode::ttl_exceeded;
    return plan;
  }
  // 4.
  const u32 clear = tunnel ? ip.total_length : ip.total_length - ip.esp_offset;
  const u32 filled = tunnel && clear < record.tfc_pad_to ? static_cast<u32>(record.tfc_pad_to) : clear;
  const u32 pad = (0U - (filled + wire::esp_trailer)) & 3U;
  const u32 text = filled + pad + wire::esp_trailer;
  plan.pad = static_cast<u8>(pad);
  plan.text = static_cast<u16>(text);
  plan.total = static_cast<u16>(ip.total_length);
  plan.counted = static_cast<u16>(clear);
  plan.copied = static_cast<u16>(!tunnel ? ip.esp_offset : has(record, abi::esp_flag::decrement_ttl) ? 12U : 0U);
  plan.next_header = !tunnel   ? ip_window.byte[ip.esp_protocol_offset]
                     : ip.ipv6 ? wire::protocol_ipv6
                               : wire::protocol_ipip;
  if (tunnel && !has(record, abi::esp_flag::outer_ipv6)) {
    const bool df = record.df == 1 || (record.df == 0 && ip.dont_fragment);
    plan.takes_identification = !df;
  }
  return plan;
}

// The outer IPv4 or IPv6 header (RFC 4301 5.1.2); returns its size.
//
// 1. DSCP: the inner one or the SA's. ECN by RFC 6040 4.1: normal mode copies, compatibility mode sends Not-ECT.
// 2. IPv4: DF by policy; an identification only where fragments may come to be (RFC 6864 4.1).
// 3. IPv6: flow label copied or one per SA (RFC 6437 4).
inline u32 build_outer(const abi::EspRecord& record, const EncapsulatePlan& plan, u16 identification, u32 total,
                       u8* out) {
  // 1.
  const u32 dscp =
      has(record, abi::esp_flag::dscp_copy_out) ? plan.ip.traffic_class & 0xfcU : static_cast<u32>(record.dscp) << 2U;
  const u32 ecn = has(record, abi::esp_flag::ecn) ? plan.ip.traffic_class & 3U : 0U;
  const u32 traffic_class = dscp | ecn;
  const u8 protocol = has(record, abi::esp_flag::udp) ? wire::protocol_udp : wire::protocol_esp;
  if (!has(record, abi::esp_flag::outer_ipv6)) {
    // 2.
    out[0] = 0x45;
    out[1] = static_cast<u8>(traffic_class);
    put16(out + 2, total);
    put16(out + 4, plan.takes_identification ? identification : 0U);
    put16(out + 6, plan.takes_identification ? 0U : 0x4000U);
    out[8] = record.hop_limit;
    out[9] = protocol;
    put16(out + 10, 0);
    for (u32 i = 0; i < 4; ++i) {
      out[12 + i] = record.source[i];
      out[16 + i] = record.destination[i];
    }
    put16(out + 10, ipv4_sum(out, wire::ipv4_size));
    return wire::ipv4_size;
  }
  // 3.
  const bool copy = has(record, abi::esp_flag::flow_label_copy) && plan.ip.ipv6;
  put32(out, 0x60000000U | traffic_class << 20U | (copy ? plan.ip.flow_label : record.flow_label));
  put16(out + 4, total - wire::ipv6_size);
  out[6] = protocol;
  out[7] = record.hop_limit;
  for (u32 i = 0; i < 16; ++i) {
    out[8 + i] = record.source[i];
    out[24 + i] = record.destination[i];
  }
  return wire::ipv6_size;
}

// Everything a packet becomes, with its number.
//
// 1. Tunnel mode: outer header behind the l2 header, whose EtherType follows the outer family. Transport mode: the
//    packet's own headers; protocol, length and checksum change (RFC 4303 3.1.1).
// 2. UDP (RFC 3948 2.1): over IPv4 the checksum is zero.
// 3. SPI, number, IV. The IV is the full number: a counter, so a nonce never comes twice under one key (RFC 4106 3.1).
// 4. What is encrypted: the inner packet, its TTL decremented where asked, TFC padding, padding 1, 2, 3, pad length and
//    next header (RFC 4303 2.4 - 2.7).
// 5. Associated data: SPI and the number, of which ESN's high half is not on the wire (RFC 4106 5). GMAC: IV and text
//    too, in front of the text (RFC 4543 3.3).
inline Shape build_encapsulate(const abi::EspRecord& record, const EncapsulatePlan& plan, const Window& window,
                               u64 number, u16 identification) {
  Shape shape = {};
  const bool tunnel = has(record, abi::esp_flag::tunnel);
  const bool udp = has(record, abi::esp_flag::udp);
  const u32 udp_bytes = udp ? wire::udp_size : 0U;
  const u32 behind = wire::esp_front + plan.text + wire::icv_size;
  u8 l2_header[l2_largest + 2];
  for (u32 i = 0; i < l2_largest; ++i) l2_header[i] = window.byte[i];
  const Window clear = shifted(window, plan.l2);
  u8 ip[headers_largest] = {};
  u32 ip_bytes = 0;
  // 1.
  if (tunnel) {
    const bool outer_ipv6 = has(record, abi::esp_flag::outer_ipv6);
    const u32 outer_size = outer_ipv6 ? wire::ipv6_size : wire::ipv4_size;
    ip_bytes = build_outer(record, plan, identification, outer_size + udp_bytes + behind, ip);
    if (plan.l2 != 0) put16(l2_header + plan.l2 - 2, outer_ipv6 ? wire::type_ipv6 : wire::type_ipv4);
  } else {
    ip_bytes = plan.copied;
    for (u32 i = 0; i < headers_largest; ++i) ip[i] = clear.byte[i];
    ip[plan.ip.esp_protocol_offset] = udp ? wire::protocol_udp : wire::protocol_esp;
    const u32 total = ip_bytes + udp_bytes + behind;
    if (plan.ip.ipv6) {
      put16(ip + 4, total - wire::ipv6_size);
    } else {
      put16(ip + 2, total);
      put16(ip + 10, 0);
      put16(ip + 10, ipv4_sum(ip, ip_bytes));
    }
  }
  append(shape.out, l2_header, plan.l2);
  append(shape.out, ip, ip_bytes < 64 ? ip_bytes : 64);
  if (ip_bytes > 64) append(shape.out, ip + 64, ip_bytes - 64);
  // 2.
  if (udp) {
    u8 header[wire::udp_size] = {};
    put16(header, record.source_port);
    put16(header + 2, record.destination_port);
    put16(header + 4, wire::udp_size + behind);
    append(shape.out, header, wire::udp_size);
  }
  // 3.
  u8 front[wire::esp_front];
  put32(front, record.spi);
  put32(front + 4, static_cast<u32>(number));
  put64(front + 8, number);
  append(shape.out, front, wire::esp_front);
  // 5.
  u8 aad[12] = {};
  u32 aad_bytes = 8;
  put32(aad, record.spi);
  if (has(record, abi::esp_flag::esn)) {
    put64(aad + 4, number);
    aad_bytes = 12;
  } else {
    put32(aad + 4, static_cast<u32>(number));
  }
  const bool gmac = has(record, abi::esp_flag::gmac);
  shape.cipher = gmac ? GcmMode::authenticate : GcmMode::encrypt;
  if (gmac) {
    append(shape.in, aad, aad_bytes);
    append(shape.in, front + 8, 8);
    shape.out.strip = shape.in.head_bytes;
  } else {
    for (u32 i = 0; i < 12; ++i) shape.aad[i] = i < aad_bytes ? aad[i] : u8{0};
    shape.aad_bytes = static_cast<u8>(aad_bytes);
  }
  // 4.
  if (tunnel) {
    u8 inner[12];
    for (u32 i = 0; i < 12; ++i) inner[i] = clear.byte[i];
    if (plan.ip.ipv6) {
      --inner[7];
    } else {
      const u16 before = get16(inner + 8);
      --inner[8];
      put16(inner + 10, checksum_update(get16(inner + 10), before, get16(inner + 8)));
    }
    append(shape.in, inner, plan.copied);
  }
  const u32 text_end = plan.text - plan.pad - wire::esp_trailer;
  shape.in.strip = static_cast<u16>(plan.l2 + plan.copied);
  shape.in.keep = static_cast<u16>(plan.total - plan.copied);
  shape.in.fill = static_cast<u16>(tunnel ? text_end - plan.total : 0U);
  for (u32 i = 0; i < 3; ++i) shape.in.tail[i] = static_cast<u8>(i + 1);
  shape.in.tail[plan.pad] = plan.pad;
  shape.in.tail[plan.pad + 1U] = plan.next_header;
  shape.in.tail_bytes = static_cast<u8>(plan.pad + wire::esp_trailer);
  shape.text_bytes = static_cast<u16>(bytes_of(shape.in));
  shape.seal = true;
  shape.out.keep = plan.text;
  return shape;
}

}  // namespace esp
}  // namespace firmware
}  // namespace linecrypt
