#include "host/software/esp/decapsulate.hpp"

#include <algorithm>
#include <cstring>

#include "host/software/esp/sa_context.hpp"
#include "host/software/esp/sequence.hpp"
#include "host/software/esp/transport_checksum.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/refusals.hpp"
#include "linecrypt/wire/ecn.hpp"

namespace linecrypt::software::esp {
namespace {

using wire::IpPacket;
using Context = IngressContext;

// Work::scratch holds what finish needs of prepare's parsing: 16 bits each.
constexpr std::uint32_t pack(std::uint32_t text_length, std::uint32_t protocol_offset) noexcept {
  return text_length << 16U | protocol_offset;
}
constexpr std::uint32_t text_length_of(std::uint32_t scratch) noexcept {
  return scratch >> 16U;
}
constexpr std::uint32_t protocol_offset_of(std::uint32_t scratch) noexcept {
  return scratch & 0xffffU;
}

// Each refusal of an SA's packet is counted at the SA too.
Verdict refuse(Work& work, Verdict verdict) noexcept {
  count_refusal(work.slot->counters, verdict);
  return verdict;
}

// A refusal after decryption began: nothing of the payload stays readable, nor what lies behind it in the frame.
// `end` is where the packet ended when it came. Not inlined: packets that are good go past it many times.
[[gnu::noinline]] Verdict refuse_and_zero(Work& work, Verdict verdict, std::uint8_t* payload,
                                          const std::uint8_t* end) noexcept {
  std::memset(payload, 0, static_cast<std::size_t>(end - payload));
  return refuse(work, verdict);
}

// UDP encapsulation (RFC 3948 2, RFC 8200 8.1). `pending`: it is well formed.
//
// 1. The length is the datagram's.
// 2. Keepalives and IKE (the non-ESP marker stands where an SPI would) are not ESP.
// 3. A checksum is optional over IPv4 and zero is accepted over IPv6 (RFC 6935); one that is there over IPv6 must be
//    right.
Verdict check_udp(const IpPacket& ip) noexcept {
  const std::uint8_t* udp = ip.data + ip.l4_offset;
  const std::uint32_t length = ip.l4_length();
  // 1.
  if (length < wire::udp_size || wire::load16(udp + wire::udp_length) != length) return Verdict::esp_bad_udp;
  // 2.
  if (length == wire::udp_size + 1 && udp[wire::udp_size] == wire::nat_keepalive) return Verdict::keepalive;
  if (length < wire::udp_size + wire::non_esp_marker_size || wire::load32(udp + wire::udp_size) == 0)
    return Verdict::esp_bad_udp;
  // 3.
  if (ip.family == Family::ipv6 && wire::load16(udp + wire::udp_checksum) != 0 &&
      wire::checksum_with_pseudo_header(ip.source(), ip.destination(), 16, wire::protocol_udp, udp, length) != 0)
    return Verdict::esp_bad_udp;
  return Verdict::pending;
}

// The SA's two ends and, where asked, ports (RFC 4301 5.2 step 3a; ports RFC 3948 2.1).
template <Shape shape, Family family>
[[gnu::always_inline]] inline bool outer_is_of_sa(const Context& context, const IpPacket& ip) noexcept {
  constexpr std::size_t size = family == Family::ipv4 ? 4 : 16;
  if (context.verify_outer) {
    if (family != Of<shape>::outer_family(context)) return false;
    if (std::memcmp(ip.source(), context.ends.data(), size) != 0) return false;
    if (std::memcmp(ip.destination(), context.ends.data() + size, size) != 0) return false;
  }
  if (Of<shape>::udp(context) && context.verify_ports) {
    const std::uint8_t* udp = ip.data + ip.l4_offset;
    if (wire::load16(udp + wire::udp_source_port) != context.source_port) return false;
    if (wire::load16(udp + wire::udp_destination_port) != context.destination_port) return false;
  }
  return true;
}

Verdict verdict_of(ReplayCheck check) noexcept {
  switch (check) {
    case ReplayCheck::fresh:
      return Verdict::pending;
    case ReplayCheck::late:
      return Verdict::replay_late;
    case ReplayCheck::duplicate:
      break;
  }
  return Verdict::replay_duplicate;
}

// The full number and a first look at the window, before any cryptography (RFC 4303 3.4.3). The window does not move.
//
// 1. Without ESN the number is what the packet says.
// 2. With it the high half is inferred (A2.2), or ahead of that while resynchronising (A3).
// 3. Number 0 is never sent (RFC 4303 3.3.3).
template <Shape shape>
[[gnu::always_inline]] inline Verdict find_number(Context& context, Work& work, std::uint32_t low) noexcept {
  const ReplayWindow& window = work.slot->window;
  // 1.
  std::uint64_t number = low;
  if (Of<shape>::esn(context)) {
    // 2.
    const auto inferred = infer_number(low, window.top(), window.size());
    if (!inferred) return Verdict::replay_late;
    number = *inferred;
    const std::uint64_t ahead = std::uint64_t{context.try_ahead(context.resync_tally)} << 32U;
    if (ahead != 0 && number <= ~std::uint64_t{0} - ahead) [[unlikely]]
      number += ahead;
  }
  work.number = number;
  // 3.
  if (number == 0) return Verdict::number_zero;
  return verdict_of(window.check(number));
}

// The clear packet inside, once it is known to be good. `verdict` is pending then.
struct Inner {
  Verdict verdict = Verdict::pending;
  std::uint8_t next_header = 0;
  std::uint32_t length = 0;  // of the payload, TFC padding included
};

// The trailer (RFC 4303 2.4 - 2.6, 3.4.4.2).
//
// 1. A dummy packet ends here; its text need not be anything.
// 2. Padding no longer than the text, and 1, 2, 3, ...
Inner read_trailer(const std::uint8_t* text, std::uint32_t length) noexcept {
  const std::uint8_t next_header = text[length - 1];
  const std::uint32_t pad = text[length - 2];
  // 1.
  if (next_header == wire::protocol_none) return {.verdict = Verdict::dummy};
  // 2.
  if (pad > length - wire::esp_trailer_size) return {.verdict = Verdict::esp_bad_padding};
  const std::uint32_t payload = length - wire::esp_trailer_size - pad;
  for (std::uint32_t i = 0; i < pad; ++i)
    if (text[payload + i] != i + 1) return {.verdict = Verdict::esp_bad_padding};
  return {.next_header = next_header, .length = payload};
}

// RFC 4301 5.2 step 4: what came out must be what the SA may carry.
[[gnu::noinline]] bool selected(const Selectors& selectors, const TrafficKey& key) noexcept {
  return std::any_of(selectors.begin(), selectors.end(),
                     [&](const Selector& selector) { return matches(selector, key); });
}
inline bool selected(const Context& context, const IpPacket& inner) noexcept {
  return context.selectors == nullptr ||
         selected(*context.selectors, wire::traffic_key(inner, wire::LocalSide::destination));
}

// Equal marks leave the inner packet as it is, and it is then nowhere in RFC 6040's table to be dropped.
bool keeps_class(const Context& context, std::uint8_t inner_class, std::uint8_t outer_class) noexcept {
  return ((inner_class ^ outer_class) & wire::ecn_mask) == 0 && !context.dscp_copy_in;
}

// ECN and DSCP of the inner packet (RFC 6040 4.2; RFC 4301 5.1.2 note 4). Precondition: not the combination to drop.
void write_inner_class(const Context& context, std::uint8_t* inner, std::uint8_t before,
                       std::uint8_t outer_class) noexcept {
  const bool ipv4 = inner[0] >> 4U == 4;
  std::uint32_t after = before;
  if (context.ecn) {
    const auto ecn = wire::ecn_of_inner(static_cast<wire::Ecn>(before & wire::ecn_mask),
                                        static_cast<wire::Ecn>(outer_class & wire::ecn_mask));
    after = (after & wire::dscp_mask) | static_cast<std::uint32_t>(ecn.ecn);
  }
  if (context.dscp_copy_in) after = (outer_class & wire::dscp_mask) | (after & wire::ecn_mask);
  if (after == before) return;
  if (ipv4)
    wire::ipv4_rewrite_tos(inner, static_cast<std::uint8_t>(after));
  else
    wire::ipv6_set_traffic_class(inner, static_cast<std::uint8_t>(after));
}

// RFC 4303 3.4.4 and RFC 4301 5.2, tunnel mode, for inner packets of one family. `text` is the payload, of
// `payload_length` bytes with what may be behind the inner packet, `end` the packet's end as it came.
//
// 1. The inner packet: of the family that the next header says, valid, no longer than the payload. TFC padding behind
//    it is dropped (RFC 4303 2.7).
// 2. Selectors, then ECN.
// 3. Lifetime.
// 4. The l2 header moves up to the inner packet; exactly the clear length stays.
template <Family family>
[[gnu::always_inline]] inline Verdict finish_tunnel(Context& context, Work& work, std::uint8_t* text,
                                                    std::uint32_t payload_length, const std::uint8_t* end,
                                                    Events& events) noexcept {
  // A copy, as prepare_tunnel() of encapsulate.cpp has it.
  Packet packet = *work.packet;
  const std::uint32_t l2 = work.job->l2_length;
  // 1.
  const IpPacket inner = wire::parse_ip_as<family>(text, payload_length, context.inner_checksum);
  if (!inner.valid) return refuse_and_zero(work, Verdict::esp_bad_inner, text, end);
  // 2.
  if (!selected(context, inner)) return refuse_and_zero(work, Verdict::selector_mismatch, text, end);
  const std::uint8_t* outer = packet.data + l2;
  const std::uint8_t outer_class = outer[0] >> 4U == 4 ? outer[wire::ipv4_tos] : wire::ipv6_traffic_class(outer);
  const std::uint8_t inner_class = inner.traffic_class();
  const bool keeps = keeps_class(context, inner_class, outer_class);
  if (!keeps && context.ecn &&
      wire::ecn_of_inner(static_cast<wire::Ecn>(inner_class & wire::ecn_mask),
                         static_cast<wire::Ecn>(outer_class & wire::ecn_mask))
          .drop)
    return refuse_and_zero(work, Verdict::esp_bad_ecn, text, end);
  // 3.
  count_packet(*work.slot, inner.total_length, events);
  // 4.
  if (!keeps) write_inner_class(context, text, inner_class, outer_class);
  std::uint8_t* const before = packet.data;
  packet.pull_front(static_cast<std::uint32_t>(text - before) - l2);
  packet.set_length(l2 + inner.total_length);
  *work.packet = packet;
  move_l2(packet.data, before, l2);
  set_ethertype(packet, l2, family);
  return Verdict::ok;
}

// RFC 4303 3.4.4 and RFC 4301 5.2, transport mode.
//
// 1. Hop-by-hop options cannot stand behind ESP (RFC 8200 4.1).
// 2. The headers before ESP move up to the payload; protocol, length and checksum become the clear packet's.
// 3. The whole packet is valid, not a fragment, and inside the selectors.
// 4. Lifetime.
// 5. Behind a NAT the TCP or UDP checksum covers addresses that are gone (RFC 3948 3.1.2).
[[gnu::noinline]] Verdict finish_transport(Context& context, Work& work, const Inner& payload, const std::uint8_t* end,
                                           Events& events) noexcept {
  Packet& packet = *work.packet;
  const std::uint32_t l2 = work.job->l2_length;
  std::uint8_t* text = packet.data + work.offset + esp_front;
  // 1.
  if (payload.next_header == wire::ipv6_hop_by_hop)
    return refuse_and_zero(work, Verdict::esp_bad_next_header, text, end);
  // 2.
  const std::uint32_t cut = esp_front + (context.udp ? wire::udp_size : 0U);
  const std::uint32_t headers = work.offset + esp_front - cut;  // l2 and IP
  std::memmove(packet.data + cut, packet.data, headers);
  packet.pull_front(cut);
  packet.set_length(headers + payload.length);
  std::uint8_t* ip = packet.data + l2;
  ip[protocol_offset_of(work.scratch)] = payload.next_header;
  set_total_length(ip, packet.length - l2);
  // 3.
  const IpPacket inner = wire::parse_ip(ip, packet.length - l2);
  if (!inner.valid || inner.fragment) return refuse_and_zero(work, Verdict::esp_bad_inner, text, end);
  if (!selected(context, inner)) return refuse_and_zero(work, Verdict::selector_mismatch, text, end);
  // 4.
  count_packet(*work.slot, payload.length, events);
  // 5.
  if (context.udp) repair_transport_checksum(inner, ip);
  return Verdict::ok;
}

// For SAs of one shape and packets whose outer header is of one family.
//
// 1. The outer packet: whole and valid. Fragments are refused (RFC 4303 3.4.1); the host reassembles before.
// 2. The SA's own encapsulation: ESP or UDP.
// 3. Long enough for ESP header, IV, trailer and ICV.
// 4. SPI, addresses and ports are the SA's.
// 5. An SA past its hard lifetime opens nothing.
// 6. The number and the window (RFC 4303 3.4.3). Nothing moves before the tag is good.
template <Shape shape, Family family>
[[gnu::noinline]] Verdict prepare(Context& context, Work& work, AeadOp& op) noexcept {
  using Sa = Of<shape>;
  const Packet& packet = *work.packet;
  const std::uint32_t l2 = work.job->l2_length;
  // 1.
  const IpPacket ip = wire::parse_ip_as<family>(packet.data + l2, packet.length - l2);
  if (!ip.valid) return Verdict::malformed_ip;
  if (ip.fragment) return Verdict::esp_fragment;
  // 2.
  if (ip.protocol != (Sa::udp(context) ? wire::protocol_udp : wire::protocol_esp))
    return refuse(work, Verdict::esp_outer_mismatch);
  std::uint32_t esp_offset = ip.l4_offset;
  if (Sa::udp(context)) {
    if (const Verdict verdict = check_udp(ip); verdict != Verdict::pending) return verdict;
    esp_offset += wire::udp_size;
  }
  // 3.
  const std::uint32_t esp_length = ip.total_length - esp_offset;
  if (esp_length < esp_front + wire::esp_trailer_size + esp_icv_size) return Verdict::esp_short;
  std::uint8_t* esp = packet.data + l2 + esp_offset;
  // 4.
  if (wire::load32(esp) != context.spi) return Verdict::esp_unknown_spi;
  if (!outer_is_of_sa<shape, family>(context, ip)) return refuse(work, Verdict::esp_outer_mismatch);
  // 5.
  if (work.slot->expired.load(std::memory_order_relaxed)) return refuse(work, Verdict::hard_expired);
  // 6.
  if (const Verdict verdict = find_number<shape>(context, work, wire::load32(esp + 4)); verdict != Verdict::pending)
    return refuse(work, verdict);
  const std::uint32_t text_length = esp_length - esp_front - esp_icv_size;
  work.offset = l2 + esp_offset;
  work.scratch = pack(text_length, ip.l4_protocol_offset);
  fill_aead<shape>(context, work, op, esp, wire::load64(esp + wire::esp_header_size), text_length);
  return Verdict::pending;
}

}  // namespace

Verdict prepare_decapsulate(Work& work, AeadOp& op, Events& /*events*/) noexcept {
  Context& context = context_of<Context>(work);
  const Packet& packet = *work.packet;
  const std::uint32_t l2 = work.job->l2_length;
  if (!l2_header_fits(packet, l2)) return Verdict::malformed_ethernet;
  if (packet.length == l2) return Verdict::malformed_ip;
  if (packet.data[l2] >> 4U != 4) return prepare<Shape::any, Family::ipv6>(context, work, op);
  return context.plain ? prepare<Shape::plain, Family::ipv4>(context, work, op)
                       : prepare<Shape::any, Family::ipv4>(context, work, op);
}

namespace {

// 1. The tag. From here on each refusal leaves zeros where the payload was.
// 2. The window again: a burst may hold two copies, and both looked fresh in prepare (RFC 4303 3.4.3). Then, and only
//    then, it moves. An SA whose hard lifetime ended earlier in the burst accepts nothing more.
// 3. The trailer.
// 4. The mode's own part.
template <Shape shape>
[[gnu::noinline]] Verdict finish(Context& context, Work& work, const AeadOp& op, Events& events) noexcept {
  using Sa = Of<shape>;
  const Packet& packet = *work.packet;
  SaSlot& slot = *work.slot;
  ReplayWindow& window = slot.window;
  const std::uint64_t number = work.number;
  std::uint8_t* text = packet.data + work.offset + esp_front;
  const std::uint8_t* end = packet.data + packet.length;
  // 1.
  if (!op.good) {
    context.count_failure();
    return refuse_and_zero(work, Verdict::esp_bad_icv, text, end);
  }
  // 2.
  if (const Verdict verdict = verdict_of(window.check(number)); verdict != Verdict::pending)
    return refuse_and_zero(work, verdict, text, end);
  if (slot.expired.load(std::memory_order_relaxed)) return refuse_and_zero(work, Verdict::hard_expired, text, end);
  if (Sa::esn(context)) context.count_authentic(number, window.top(), window.size(), context.resync_tally);
  window.accept(number);
  // 3.
  const Inner payload = read_trailer(text, text_length_of(work.scratch));
  if (payload.verdict == Verdict::dummy) {
    // RFC 4303 2.6: discarded without a word. It counts as a packet of no bytes.
    std::memset(text, 0, static_cast<std::size_t>(end - text));
    count_packet(slot, 0, events);
    return Verdict::dummy;
  }
  if (payload.verdict != Verdict::pending) return refuse_and_zero(work, payload.verdict, text, end);
  // 4.
  if (!Sa::plain && !context.tunnel) return finish_transport(context, work, payload, end, events);
  if (payload.next_header == wire::protocol_ipip)
    return finish_tunnel<Family::ipv4>(context, work, text, payload.length, end, events);
  if (payload.next_header == wire::protocol_ipv6)
    return finish_tunnel<Family::ipv6>(context, work, text, payload.length, end, events);
  return refuse_and_zero(work, Verdict::esp_bad_next_header, text, end);
}

}  // namespace

Verdict finish_decapsulate(Work& work, const AeadOp& op, Events& events) noexcept {
  Context& context = context_of<Context>(work);
  return context.plain ? finish<Shape::plain>(context, work, op, events)
                       : finish<Shape::any>(context, work, op, events);
}

}  // namespace linecrypt::software::esp
