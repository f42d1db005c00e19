// ESP ingress: ESP -> clear IP packet (RFC 4303 3.4): what the outer packet says (plan), what the cipher is given
// (build), and what came out (judge). The same results as host/software/esp/decapsulate.cpp.
#pragma once

#include "firmware_hls/esp/encapsulate.hpp"
#include "firmware_hls/esp/selectors.hpp"
#include "firmware_hls/tables/inspection.hpp"
#include "firmware_hls/tables/judgement.hpp"
#include "firmware_hls/tables/lookup.hpp"

namespace linecrypt {
namespace firmware {
namespace esp {

struct DecapsulatePlan {
  VerdictCode verdict;  // pending: go on
  bool ipv6;            // the outer packet
  u8 outer_class;
  u16 l2;
  u16 headers;          // bytes of the IP headers before UDP or ESP
  u16 protocol_offset;  // in them: the byte that names what follows
  u16 esp;              // where ESP begins in the frame
  u16 text;             // bytes that are encrypted
  u32 low;              // sequence number on the wire
};

inline DecapsulatePlan refused(DecapsulatePlan plan, VerdictCode verdict) {
  plan.verdict = verdict;
  return plan;
}

// UDP encapsulation (RFC 3948 2, RFC 8200 8.1); pending: well formed. `udp` holds the first bytes of the datagram.
//
// 1. The length is the datagram's.
// 2. Keepalives and IKE (the non-ESP marker stands where an SPI would) are not ESP.
// 3. Over IPv6 a checksum covers the ciphertext: only zero (RFC 6935) is taken here, others are the host's.
inline VerdictCode check_udp(const u8* udp, u32 length, bool ipv6) {
  // 1.
  if (length < wire::udp_size || get16(udp + 4) != length) return VerdictCode::esp_bad_udp;
  // 2.
  if (length == wire::udp_size + 1 && udp[wire::udp_size] == 0xff) return VerdictCode::keepalive;
  if (length < wire::udp_size + 4 || get32(udp + wire::udp_size) == 0) return VerdictCode::esp_bad_udp;
  // 3.
  return ipv6 && get16(udp + 6) != 0 ? VerdictCode::unsupported : VerdictCode::pending;
}

// The SA's two ends and, where asked, ports (RFC 4301 5.2 step 3a; RFC 3948 2.1).
inline bool outer_is_of_sa(const abi::EspRecord& record, const IpHeaders& ip, const u8* p, const u8* udp) {
  u32 difference = 0;
  if (has(record, abi::esp_flag::verify_outer)) {
    if (ip.ipv6 != has(record, abi::esp_flag::outer_ipv6)) return false;
    for (u32 i = 0; i < 16; ++i) {
      if (ip.ipv6 || i < 4) {
        difference |= static_cast<u32>(record.source[i]) ^ p[(ip.ipv6 ? 8U : 12U) + i];
        difference |= static_cast<u32>(record.destination[i]) ^ p[(ip.ipv6 ? 24U : 16U) + i];
      }
    }
  }
  if (has(record, abi::esp_flag::verify_ports)) {
    difference |= static_cast<u32>(record.source_port) ^ get16(udp);
    difference |= static_cast<u32>(record.destination_port) ^ get16(udp + 2);
  }
  return difference == 0;
}

// RFC 4303 3.4, up to the number.
//
// 1. The outer packet: whole and valid. Fragments are refused (RFC 4303 3.4.1); the host reassembles before.
// 2. The SA's own encapsulation: ESP or UDP.
// 3. Long enough for ESP header, IV, trailer and ICV, and its header was seen.
// 4. SPI, addresses and ports are the SA's.
inline DecapsulatePlan plan_decapsulate(const abi::EspRecord& record, const Window& window, u32 l2, u32 length) {
  DecapsulatePlan plan = {};
  plan.verdict = VerdictCode::pending;
  plan.l2 = static_cast<u16>(l2);
  if (length > abi::frame_largest) return refused(plan, VerdictCode::oversize);
  if (l2 != 0 && (l2 < 14 || l2 > length)) return refused(plan, VerdictCode::malformed_ethernet);
  if (l2 > l2_largest) return refused(plan, VerdictCode::unsupported);
  // 1.
  const Window ip_window = shifted(window, l2);
  const u32 available = length - l2;
  const u32 room = window_bytes - l2;
  const IpHeaders ip = parse_ip(ip_window.byte, available, available < room ? available : room);
  if (ip.unsupported) return refused(plan, VerdictCode::unsupported);
  if (!ip.valid) return refused(plan, VerdictCode::malformed_ip);
  if (ip.fragment) return refused(plan, VerdictCode::esp_fragment);
  plan.ipv6 = ip.ipv6;
  plan.outer_class = ip.traffic_class;
  plan.headers = static_cast<u16>(ip.l4_offset);
  plan.protocol_offset = static_cast<u16>(ip.l4_protocol_offset);
  // 2.
  const bool udp = has(record, abi::esp_flag::udp);
  if (ip.protocol != (udp ? wire::protocol_udp : wire::protocol_esp))
    return refused(plan, VerdictCode::esp_outer_mismatch);
  const u32 l4_length = ip.total_length - ip.l4_offset;
  if (ip.l4_offset > headers_largest) return refused(plan, VerdictCode::unsupported);
  const Window l4 = shifted(ip_window, ip.l4_offset);
  u32 esp_offset = ip.l4_offset;
  if (udp) {
    const VerdictCode verdict = check_udp(l4.byte, l4_length, ip.ipv6);
    if (verdict != VerdictCode::pending) return refused(plan, verdict);
    esp_offset += wire::udp_size;
  }
  // 3.
  const u32 esp_length = ip.total_length - esp_offset;
  if (esp_length < wire::esp_front + wire::esp_trailer + wire::icv_size) return refused(plan, VerdictCode::esp_short);
  const u8* esp = l4.byte + (udp ? wire::udp_size : 0U);
  // 4.
  if (get32(esp) != record.spi) return refused(plan, VerdictCode::esp_unknown_spi);
  if (!outer_is_of_sa(record, ip, ip_window.byte, l4.byte)) return refused(plan, VerdictCode::esp_outer_mismatch);
  plan.low = get32(esp + 4);
  plan.esp = static_cast<u16>(l2 + esp_offset);
  plan.text = static_cast<u16>(esp_length - wire::esp_front - wire::icv_size);
  return plan;
}

// Where a packet's SA is found by its SPI (in-line ports): ESP, or ESP in UDP.
inline HashKey spi_of(const Window& window, u32 l2, u32 length) {
  HashKey key = {false, 0, 0};
  if (l2 > l2_largest || l2 > length) return key;
  const Window ip_window = shifted(window, l2);
  const u32 available = length - l2;
  const u32 room = window_bytes - l2;
  const IpHeaders ip = parse_ip(ip_window.byte, available, available < room ? available : room);
  if (!ip.valid || ip.fragment || ip.l4_offset > headers_largest) return key;
  const Window l4 = shifted(ip_window, ip.l4_offset);
  const u32 at = ip.protocol == wire::protocol_udp ? wire::udp_size : 0U;
  key.exists = (ip.protocol == wire::protocol_udp || ip.protocol == wire::protocol_esp) &&
               ip.total_length - ip.l4_offset >= at + 4;
  key.key = get32(l4.byte + at);
  return key;
}

// What the cipher is given: nonce from salt and IV (RFC 4106 4); associated data SPI and full number (RFC 4106 5);
// GMAC: IV and text too (RFC 4543 3.3).
inline Shape build_decapsulate(const abi::EspRecord& record, const DecapsulatePlan& plan, const Window& window,
                               u64 number) {
  Shape shape = {};
  u8 aad[12] = {};
  u32 aad_bytes = 8;
  put32(aad, record.spi);
  if (has(record, abi::esp_flag::esn)) {
    put64(aad + 4, number);
    aad_bytes = 12;
  } else {
    put32(aad + 4, plan.low);
  }
  const bool gmac = has(record, abi::esp_flag::gmac);
  shape.cipher = gmac ? GcmMode::authenticate : GcmMode::decrypt;
  if (gmac) {
    append(shape.in, aad, aad_bytes);
    const Window esp = shifted(window, plan.esp);
    append(shape.in, esp.byte + 8, 8);
  } else {
    for (u32 i = 0; i < 12; ++i) shape.aad[i] = i < aad_bytes ? aad[i] : u8{0};
    shape.aad_bytes = static_cast<u8>(aad_bytes);
  }
  shape.in.strip = static_cast<u16>(plan.esp + wire::esp_front);
  shape.in.keep = plan.text;
  shape.text_bytes = static_cast<u16>(bytes_of(shape.in));
  return shape;
}

inline Judgement judged(Judgement judgement, VerdictCode verdict) {
  judgement.verdict = verdict;
  judgement.unseen = verdict == VerdictCode::unsupported;
  return judgement;
}

// RFC 6040 4.2, figure 4: the inner code point under an outer one; 4: drop. Code points: 0 Not-ECT, 1 ECT(1), 2 ECT(0),
// 3 CE.
inline u32 ecn_of_inner(u32 inner, u32 outer) {
  if (inner == 3) return 3;
  if (outer == 3) return inner == 0 ? 4 : 3;
  if (inner == 2 && outer == 1) return 1;
  return inner;
}

inline u32 new_class(const abi::EspRecord& record, u32 before, u32 outer) {
  u32 after = before;
  if (has(record, abi::esp_flag::ecn)) after = (after & 0xfcU) | (ecn_of_inner(before & 3U, outer & 3U) & 3U);
  if (has(record, abi::esp_flag::dscp_copy_in)) after = (outer & 0xfcU) | (after & 3U);
  return after;
}

// RFC 4303 3.4.4 and RFC 4301 5.2, tunnel mode. `payload` bytes of text are the packet and TFC padding.
//
// 1. The inner packet: of the family that the next header says, valid, no longer than the payload.
// 2. Selectors, then ECN.
// 3. Its class is written (RFC 6040 4.2; RFC 4301 5.1.2 note 4); exactly the clear length stays (RFC 4303 2.7).
inline Judgement judge_tunnel(const abi::EspRecord& record, const Selectors& selectors, const DecapsulatePlan& plan,
                              const Window& frame, const Inspection& text, u32 payload) {
  Judgement judgement = {};
  // 1.
  if (text.next_header != wire::protocol_ipip && text.next_header != wire::protocol_ipv6)
    return judged(judgement, VerdictCode::esp_bad_next_header);
  const u8* p = text.first.byte;
  const u32 seen = payload < window_bytes ? payload : window_bytes;
  const IpHeaders ip = parse_ip(p, payload, seen, has(record, abi::esp_flag::carry_inner_checksum));
  if (ip.unsupported) return judged(judgement, VerdictCode::unsupported);
  if (!ip.valid || ip.ipv6 != (text.next_header == wire::protocol_ipv6))
    return judged(judgement, VerdictCode::esp_bad_inner);
  // 2.
  const TrafficKey key = traffic_key(ip, p, seen);
  if (undecided(selectors, record.selectors, key)) return judged(judgement, VerdictCode::unsupported);
  if (!selected(selectors, record.selectors, key)) return judged(judgement, VerdictCode::selector_mismatch);
  if (has(record, abi::esp_flag::ecn) && ecn_of_inner(ip.traffic_class & 3U, plan.outer_class & 3U) == 4)
    return judged(judgement, VerdictCode::esp_bad_ecn);
  // 3.
  u8 head[12];
  for (u32 i = 0; i < 12; ++i) head[i] = p[i];
  const u32 after = new_class(record, ip.traffic_class, plan.outer_class);
  u32 copied = 2;
  if (!ip.ipv6) {
    copied = 12;
    const u16 before = get16(head);
    head[1] = static_cast<u8>(after);
    if (after != ip.traffic_class) put16(head + 10, checksum_update(get16(head + 10), before, get16(head)));
  } else {
    put16(head, (get16(head) & 0xf00fU) | after << 4U);
  }
  u8 l2_header[l2_largest + 2];
  for (u32 i = 0; i < l2_largest; ++i) l2_header[i] = frame.byte[i];
  if (plan.l2 != 0) put16(l2_header + plan.l2 - 2, ip.ipv6 ? wire::type_ipv6 : wire::type_ipv4);
  append(judgement.out, l2_header, plan.l2);
  append(judgement.out, head, copied);
  judgement.out.strip = static_cast<u16>(copied);
  judgement.out.keep = static_cast<u16>(ip.total_length - copied);
  judgement.counted = static_cast<u16>(ip.total_length);
  return judged(judgement, VerdictCode::pending);
}

// RFC 4303 3.4.4 and RFC 4301 5.2, transport mode.
//
// 1. Hop-by-hop options cannot stand behind ESP (RFC 8200 4.1).
// 2. The headers before ESP, with the clear packet's protocol, length and checksum.
// 3. The whole packet is valid, not a fragment, and inside the selectors.
inline Judgement judge_transport(const abi::EspRecord& record, const Selectors& selectors, const DecapsulatePlan& plan,
                                 const Window& frame, const Inspection& text, u32 payload) {
  Judgement judgement = {};
  // 1.
  if (text.next_header == wire::next_hop_by_hop) return judged(judgement, VerdictCode::esp_bad_next_header);
  // 2.
  Window ip_window = shifted(frame, plan.l2);
  const u32 total = plan.headers + payload;
  ip_window.byte[plan.protocol_offset & (window_bytes - 1)] = text.next_header;
  if (plan.ipv6) {
    put16(ip_window.byte + 4, total - wire::ipv6_size);
  } else {
    put16(ip_window.byte + 2, total);
    put16(ip_window.byte + 10, 0);
    put16(ip_window.byte + 10, ipv4_sum(ip_window.byte, plan.headers));
  }
  for (u32 i = 0; i < window_bytes; ++i) {
    if (i >= plan.headers) ip_window.byte[i] = text.first.byte[i - plan.headers];
  }
  // 3.
  const u32 seen = total < window_bytes ? total : window_bytes;
  const IpHeaders ip = parse_ip(ip_window.byte, total, seen);
  if (ip.unsupported) return judged(judgement, VerdictCode::unsupported);
  if (!ip.valid || ip.fragment) return judged(judgement, VerdictCode::esp_bad_inner);
  const TrafficKey key = traffic_key(ip, ip_window.byte, seen);
  if (undecided(selectors, record.selectors, key)) return judged(judgement, VerdictCode::unsupported);
  if (!selected(selectors, record.selectors, key)) return judged(judgement, VerdictCode::selector_mismatch);
  append(judgement.out, frame.byte, plan.l2);
  append(judgement.out, ip_window.byte, plan.headers < 64 ? plan.headers : 64U);
  if (plan.headers > 64) append(judgement.out, ip_window.byte + 64, plan.headers - 64U);
  judgement.out.strip = 0;
  judgement.out.keep = static_cast<u16>(payload);
  judgement.counted = static_cast<u16>(payload);
  return judged(judgement, VerdictCode::pending);
}

// The trailer (RFC 4303 2.4 - 2.6, 3.4.4.2), then the mode's own part.
//
// 1. A dummy packet ends here; its text need not be anything. It counts as a packet of no bytes.
// 2. Padding no longer than the text, and 1, 2, 3, ...
// 3. The mode. What GMAC has in front of the text is cut off with the rest.
inline Judgement judge_decapsulate(const abi::EspRecord& record, const Selectors& selectors,
                                   const DecapsulatePlan& plan, const Window& frame, const Inspection& text,
                                   u32 before_text) {
  Judgement judgement = {};
  // 1.
  if (text.next_header == wire::protocol_none) return judged(judgement, VerdictCode::dummy);
  // 2.
  const u32 behind = text.pad_length + wire::esp_trailer;
  if (behind > plan.text || !padding_good(text)) return judged(judgement, VerdictCode::esp_bad_padding);
  // 3.
  const u32 payload = plan.text - behind;
  judgement = has(record, abi::esp_flag::tunnel) ? judge_tunnel(record, selectors, plan, frame, text, payload)
                                                 : judge_transport(record, selectors, plan, frame, text, payload);
  judgement.out.strip = static_cast<u16>(judgement.out.strip + before_text);
  return judgement;
}

// What becomes of the packet (RFC 4303 3.4.3, 3.4.4; RFC 4301 4.4.2.1). The order is the software engine's.
//
// 1. An SA past its hard lifetime opens nothing.
// 2. The number and the window; the accept ceiling.
// 3. The tag.
// 4. What this card cannot tell is as if it had not come.
// 5. Now, and only now, the window moves.
// 6. Trailer, inner packet, selectors; the lifetime counts what was accepted. A dummy is a packet of no bytes.
inline Decision decide_decapsulate(const abi::EspRecord& record, const Judgement& judgement, const Evidence& evidence,
                                   const abi::LifetimeEntry& lifetime, IngressNumbers& numbers, WindowWord& word) {
  Decision decision = {};
  // 1.
  if (numbers.life.expired) {
    decision.verdict = VerdictCode::hard_expired;
    decision.events = report_hard(numbers.life, evidence.can_report);
    return decision;
  }
  // 2.
  decision.verdict = evidence.number_verdict;
  if (decision.verdict != VerdictCode::pending) return decision;
  const u32 window = record.replay_window;
  decision.verdict = verdict_of(check_window(numbers, word, evidence.generation, window, evidence.number));
  if (decision.verdict != VerdictCode::pending) return decision;
  if (!below_ceiling(numbers, evidence.number, evidence.moment, evidence.can_report, decision.events)) {
    decision.verdict = VerdictCode::lease_exhausted;
    return decision;
  }
  // 3.
  decision.opened = true;
  if (!evidence.tag_good) {
    decision.verdict = VerdictCode::esp_bad_icv;
    return decision;
  }
  // 4.
  if (judgement.unseen) {
    decision.opened = false;
    decision.verdict = judgement.verdict;
    return decision;
  }
  // 5. Inference alone leads no further than this (RFC 4303 A2.2).
  decision.authentic = true;
  decision.jumped =
      evidence.number > numbers.top && evidence.number - numbers.top > (u64{1} << 32U) - record.replay_window;
  accept(numbers, word, evidence.generation, evidence.number);
  decision.accepted = true;
  // 6.
  decision.verdict = judgement.verdict;
  const bool good = judgement.verdict == VerdictCode::pending;
  if (!good && judgement.verdict != VerdictCode::dummy) return decision;
  decision.events = static_cast<u8>(
      decision.events | account(numbers.life, lifetime, good ? judgement.counted : 0U, evidence.can_report));
  decision.deliver = good;
  if (good) decision.verdict = VerdictCode::ok;
  return decision;
}

}  // namespace esp
}  // namespace firmware
}  // namespace linecrypt
