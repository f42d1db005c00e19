#include "host/software/esp/decapsulate.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "host/software/esp/numbering.hpp"
#include "host/software/esp/sa_context.hpp"
#include "host/software/esp/transport_checksum.hpp"
#include "host/values/ingress_numbers.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/likely.hpp"
#include "host/values/refusals.hpp"
#include "linecrypt/wire/ecn.hpp"

namespace linecrypt::software::esp {
namespace {

using wire::IpPacket;
using Context = IngressContext;

// What finish needs of prepare's parsing is in the op, where the text and the ICV stand; in transport mode also
// Work::scratch, where in the outer headers the protocol is named. The outer headers are in place until then.

// Each refusal of an SA's packet is counted at the SA too.
Verdict refuse(SaSlot& slot, Verdict verdict) noexcept {
  count_refusal(slot.counters, verdict);
  return verdict;
}

// A refusal after decryption began: nothing of the payload stays readable, nor what lies behind it in the frame.
// `end` is where the packet ended when it came. Not inlined: packets that are good go past it many times.
[[gnu::noinline]] Verdict refuse_and_zero(SaSlot& slot, Verdict verdict, std::uint8_t* payload,
                                          const std::uint8_t* end) noexcept {
  std::memset(payload, 0, static_cast<std::size_t>(end - payload));
  return refuse(slot, verdict);
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

// The SA's two ends and, where asked, ports (RFC 4301 5.2 step 3a; ports RFC 3948 2.1). Source and destination stand
// together in both families' headers.
template <Shape shape, Family family>
[[gnu::always_inline]] inline bool outer_is_of_sa(const Context& context, const IpPacket& ip) noexcept {
  constexpr std::size_t size = family == Family::ipv4 ? 4 : 16;
  if (context.verify_outer) {
    if (family != Of<shape>::outer_family(context)) return false;
    if (std::memcmp(ip.source(), context.ends.data(), 2 * size) != 0) return false;
  }
  if (Of<shape>::udp(context) && context.verify_ports) {
    const std::uint8_t* udp = ip.data + ip.l4_offset;
    if (wire::load16(udp + wire::udp_source_port) != context.source_port) return false;
    if (wire::load16(udp + wire::udp_destination_port) != context.destination_port) return false;
  }
  return true;
}

// The clear packet inside, once it is known to be good. `verdict` is pending then.
struct Inner {
  Verdict verdict = Verdict::pending;
  std::uint8_t next_header = 0;
  std::uint32_t length = 0;  // of the payload, TFC padding included
};

// Padding of `pad` bytes that end before `end` is 1, 2, 3, ... (RFC 4303 2.4).
bool padding_is_right(const std::uint8_t* end, std::uint32_t pad) noexcept {
  const std::uint8_t* const begin = end - pad;
  for (std::uint32_t i = 0; i < pad; ++i)
    if (begin[i] != i + 1) return false;
  return true;
}

// The trailer (RFC 4303 2.4 - 2.6, 3.4.4.2). ESP header and IV stand before the text.
//
// 1. A dummy packet ends here; its text need not be anything.
// 2. Padding no longer than the text, and 1, 2, 3, ...
Inner read_trailer(const std::uint8_t* text, std::uint32_t length) noexcept {
  const std::uint8_t* const trailer = text + length - wire::esp_trailer_size;
  const std::uint32_t pad = trailer[0];
  const std::uint8_t next_header = trailer[1];
  // 1.
  if (next_header == wire::protocol_none) return {.verdict = Verdict::dummy};
  // 2.
  if (pad > length - wire::esp_trailer_size || !padding_is_right(trailer, pad))
    return {.verdict = Verdict::esp_bad_padding};
  return {.next_header = next_header, .length = length - wire::esp_trailer_size - pad};
}

// RFC 4301 5.2 step 4: what came out must be what the SA may carry. `inner` is a valid packet of `length` bytes; it is
// parsed again, for most SAs carry anything and their packets need not know what this asks.
[[gnu::noinline]] bool selected_by(const Selectors& selectors, const std::uint8_t* inner,
                                   std::uint32_t length) noexcept {
  const IpPacket packet = wire::parse_ip(inner, length, wire::HeaderChecksum::ignore);
  const TrafficKey key = wire::traffic_key(packet, wire::LocalSide::destination);
  return std::any_of(selectors.begin(), selectors.end(),
                     [&](const Selector& selector) { return matches(selector, key); });
}
inline bool selected(const Context& context, const std::uint8_t* inner, std::uint32_t length) noexcept {
  return context.selectors == nullptr || selected_by(*context.selectors, inner, length);
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

// The l2 header moves up to the inner packet of `length` bytes; exactly that stays of the frame.
[[gnu::always_inline]] inline void uncover(Packet& packet, std::uint32_t l2, std::uint8_t* inner, std::uint32_t length,
                                           Family family) noexcept {
  // Everything of the packet before anything of the frame, as take_in() of encapsulate.cpp has it: a store into the
  // frame could be one into the packet for all that the compiler knows.
  std::uint8_t* const outer = packet.data + l2;
  packet.set(inner - l2, l2 + length);
  move_l2(inner, outer, l2, family);
}

// RFC 4303 3.4.4 and RFC 4301 5.2, tunnel mode, for inner packets of one family. `text` is the payload, of
// `payload_length` bytes with what may be behind the inner packet, `end` the packet's end as it came.
//
// 1. The inner packet: of the family that the next header says, valid, no longer than the payload. TFC padding behind
//    it is dropped (RFC 4303 2.7).
// 2. Selectors, then ECN.
// 3. Lifetime.
// 4. The inner packet alone stays.
template <Family family>
Verdict finish_tunnel(const Context& context, SaSlot& slot, IngressCounts& counts, Packet& packet, std::uint32_t l2,
                      std::uint8_t* text, std::uint32_t payload_length, const std::uint8_t* end,
                      std::uint8_t outer_class) noexcept {
  // 1.
  const IpPacket inner = wire::parse_ip_as<family>(text, payload_length, context.inner_checksum);
  if (!inner.valid) return refuse_and_zero(slot, Verdict::esp_bad_inner, text, end);
  // 2.
  if (!selected(context, text, inner.total_length)) return refuse_and_zero(slot, Verdict::selector_mismatch, text, end);
  const std::uint8_t inner_class = inner.traffic_class();
  const bool keeps = keeps_class(context, inner_class, outer_class);
  if (!keeps && context.ecn &&
      wire::ecn_of_inner(static_cast<wire::Ecn>(inner_class & wire::ecn_mask),
                         static_cast<wire::Ecn>(outer_class & wire::ecn_mask))
          .drop)
    return refuse_and_zero(slot, Verdict::esp_bad_ecn, text, end);
  // 3.
  counts.add(inner.total_length);
  // 4.
  if (!keeps) write_inner_class(context, text, inner_class, outer_class);
  uncover(packet, l2, text, inner.total_length, family);
  return Verdict::ok;
}

// RFC 4303 3.4.4 and RFC 4301 5.2, transport mode.
//
// 1. Hop-by-hop options cannot stand behind ESP (RFC 8200 4.1).
// 2. The headers before ESP move up to the payload; protocol, length and checksum become the clear packet's.
// 3. The whole packet is valid, not a fragment, and inside the selectors.
// 4. Lifetime.
// 5. Behind a NAT the TCP or UDP checksum covers addresses that are gone (RFC 3948 3.1.2).
Verdict finish_transport(const Context& context, SaSlot& slot, IngressCounts& counts, const Job& job,
                         std::uint8_t* text, std::uint32_t protocol_offset, const Inner& payload,
                         const std::uint8_t* end) noexcept {
  Packet& packet = *job.destination;
  const std::uint32_t l2 = job.l2_length;
  // 1.
  if (payload.next_header == wire::ipv6_hop_by_hop)
    return refuse_and_zero(slot, Verdict::esp_bad_next_header, text, end);
  // 2.
  const std::uint32_t cut = esp_front + (context.udp ? wire::udp_size : 0U);
  const std::uint32_t headers = static_cast<std::uint32_t>(text - packet.data) - cut;  // l2 and IP
  std::memmove(packet.data + cut, packet.data, headers);
  packet.pull_front(cut);
  packet.set_length(headers + payload.length);
  std::uint8_t* ip = packet.data + l2;
  ip[protocol_offset] = payload.next_header;
  set_total_length(ip, packet.length - l2);
  // 3.
  const IpPacket inner = wire::parse_ip(ip, packet.length - l2);
  if (!inner.valid || inner.fragment) return refuse_and_zero(slot, Verdict::esp_bad_inner, text, end);
  if (!selected(context, ip, inner.total_length)) return refuse_and_zero(slot, Verdict::selector_mismatch, text, end);
  // 4.
  counts.add(payload.length);
  // 5.
  if (context.udp) repair_transport_checksum(inner, ip);
  return Verdict::ok;
}

// The number and the window (RFC 4303 3.4.3), and the op, of a packet with an ESP part of `esp_length` bytes at `esp`.
// Nothing moves before the tag is good.
template <Shape shape>
[[gnu::always_inline]] inline Verdict prepare_text(const Context& context, SaSlot& slot, Numbering<shape>& numbering,
                                                   Job& job, std::uint8_t* esp, std::uint32_t esp_length, Work& work,
                                                   AeadOp& op) noexcept {
  std::uint64_t number = 0;
  if (const Verdict verdict = numbering.find(wire::load32(esp + 4), job, number); verdict != Verdict::pending)
    return refuse(slot, verdict);
  const std::uint32_t text_length = esp_length - esp_front - esp_icv_size;
  fill_aead<shape>(context, number, work.aad.data(), op, esp, wire::bytes8(esp + wire::esp_header_size), text_length);
  return Verdict::pending;
}

constexpr std::uint32_t esp_shortest = esp_front + wire::esp_trailer_size + esp_icv_size;

// For SAs of one shape and packets whose outer header is of one family.
//
// 1. The outer packet: whole and valid. Fragments are refused (RFC 4303 3.4.1); the host reassembles before.
// 2. The SA's own encapsulation: ESP or UDP.
// 3. Long enough for ESP header, IV, trailer and ICV.
// 4. SPI, addresses and ports are the SA's.
template <Shape shape, Family family>
[[gnu::always_inline]] inline Verdict prepare(const Context& context, SaSlot& slot, Numbering<shape>& numbering,
                                              Job& job, std::uint32_t l2, Work& work, AeadOp& op) noexcept {
  using Sa = Of<shape>;
  const Packet& packet = *job.destination;
  // 1.
  const IpPacket ip = wire::parse_ip_as<family>(packet.data + l2, packet.length - l2);
  if (!ip.valid) return Verdict::malformed_ip;
  if (ip.fragment) return Verdict::esp_fragment;
  // 2.
  if (ip.protocol != (Sa::udp(context) ? wire::protocol_udp : wire::protocol_esp))
    return refuse(slot, Verdict::esp_outer_mismatch);
  std::uint32_t esp_offset = ip.l4_offset;
  if (Sa::udp(context)) {
    if (const Verdict verdict = check_udp(ip); verdict != Verdict::pending) return verdict;
    esp_offset += wire::udp_size;
  }
  // 3.
  const std::uint32_t esp_length = ip.total_length - esp_offset;
  if (esp_length < esp_shortest) return Verdict::esp_short;
  std::uint8_t* esp = packet.data + l2 + esp_offset;
  // 4.
  if (std::memcmp(esp, context.spi.data(), context.spi.size()) != 0) return Verdict::esp_unknown_spi;
  if (!outer_is_of_sa<shape, family>(context, ip)) return refuse(slot, Verdict::esp_outer_mismatch);
  work.scratch = ip.l4_protocol_offset;
  return prepare_text<shape>(context, slot, numbering, job, esp, esp_length, work, op);
}

// All that prepare() asks of a common packet of a plain SA, which nearly all of them have. False: prepare() says why.
[[gnu::always_inline]] inline bool passes_at_once(const Context& context, const Packet& packet,
                                                  const Job& job) noexcept {
  constexpr std::uint32_t shortest = wire::ipv4_size + esp_shortest;
  if (job.l2_length != wire::ethernet_size || packet.length < wire::ethernet_size + shortest) return false;
  const std::uint8_t* const ip = packet.data + wire::ethernet_size;
  if (*ip != wire::ipv4_no_options) return false;
  const std::uint32_t total = wire::load16(ip + wire::ipv4_total_length);
  if (total - shortest > packet.length - wire::ethernet_size - shortest) return false;
  if (!wire::ipv4_checksum_is_right(ip, wire::ipv4_size)) return false;
  // A word that ends with the protocol and begins with the flags: TTL and DF may be anything.
  constexpr std::uint32_t fixed = std::uint32_t{wire::ipv4_flag_mf | wire::ipv4_offset_mask} << 16U | 0xffU;
  static_assert(wire::ipv4_protocol == wire::ipv4_fragment + 3);
  if ((wire::load32(ip + wire::ipv4_fragment) & fixed) != wire::protocol_esp) return false;
  if (std::memcmp(ip + wire::ipv4_size, context.spi.data(), context.spi.size()) != 0) return false;
  return !nearly_always(context.verify_outer) || std::memcmp(ip + wire::ipv4_source, context.ends.data(), 8) == 0;
}

// prepare() for a packet of any kind.
template <Shape shape>
[[gnu::noinline]] Verdict prepare_any(const Train& train, Job& job, Work& work, AeadOp& op) noexcept {
  Context& context = context_of<Context>(train);
  SaSlot& slot = *train.slot;
  Numbering<shape> numbering(slot, context);
  const Packet& packet = *job.destination;
  const std::uint32_t l2 = job.l2_length;
  if (!l2_header_fits(packet, l2)) return Verdict::malformed_ethernet;
  if (packet.length == l2) return Verdict::malformed_ip;
  return packet.data[l2] >> 4U == 4 ? prepare<shape, Family::ipv4>(context, slot, numbering, job, l2, work, op)
                                    : prepare<shape, Family::ipv6>(context, slot, numbering, job, l2, work, op);
}

template <Shape shape, bool lone>
[[gnu::noinline]] void prepare_packets(Train& train, BurstStage& stage) noexcept {
  Context& context = context_of<Context>(train);
  SaSlot& slot = *train.slot;
  Numbering<shape> numbering(slot, context);
  prepare_jobs<lone>(
      train, stage, [&](Job & job, Work & work, AeadOp & op) __attribute__((always_inline)) {
        const Packet& packet = *job.destination;
        if (Of<shape>::plain) {
          if (nearly_always(passes_at_once(context, packet, job))) {
            std::uint8_t* const ip = packet.data + wire::ethernet_size;
            return prepare_text<shape>(context, slot, numbering, job, ip + wire::ipv4_size,
                                       wire::load16(ip + wire::ipv4_total_length) - wire::ipv4_size, work, op);
          }
        } else if (nearly_always(is_common(packet, job))) {
          return prepare<shape, Family::ipv4>(context, slot, numbering, job, wire::ethernet_size, work, op);
        }
        const Verdict verdict = prepare_any<shape>(train, job, work, op);
        numbering.renew();
        return verdict;
      });
}

// finish() of an authentic packet of any kind, from its trailer on.
[[gnu::noinline]] Verdict finish_any(const Context& context, SaSlot& slot, Events& events, const Job& job,
                                     std::uint8_t* text, std::uint32_t text_length,
                                     std::uint32_t protocol_offset) noexcept {
  Packet& packet = *job.destination;
  const std::uint8_t* const end = packet.data + packet.length;
  IngressCounts counts(slot, events);
  const Inner payload = read_trailer(text, text_length);
  if (payload.verdict == Verdict::dummy) {
    // RFC 4303 2.6: discarded without a word. It counts as a packet of no bytes.
    std::memset(text, 0, static_cast<std::size_t>(end - text));
    counts.add(0);
    return Verdict::dummy;
  }
  if (payload.verdict != Verdict::pending) return refuse_and_zero(slot, payload.verdict, text, end);
  if (!context.tunnel) return finish_transport(context, slot, counts, job, text, protocol_offset, payload, end);
  const std::uint8_t* const outer = packet.data + job.l2_length;
  const std::uint8_t outer_class =
      *outer >> 4U == 4 ? wire::traffic_class_as<Family::ipv4>(outer) : wire::traffic_class_as<Family::ipv6>(outer);
  if (payload.next_header == wire::protocol_ipip)
    return finish_tunnel<Family::ipv4>(context, slot, counts, packet, job.l2_length, text, payload.length, end,
                                       outer_class);
  if (payload.next_header == wire::protocol_ipv6)
    return finish_tunnel<Family::ipv6>(context, slot, counts, packet, job.l2_length, text, payload.length, end,
                                       outer_class);
  return refuse_and_zero(slot, Verdict::esp_bad_next_header, text, end);
}

// The window again: a burst may hold two copies, and both looked fresh in prepare (RFC 4303 3.4.3). Then, and only
// then, it moves. An SA whose hard lifetime ended earlier in the burst accepts nothing more. pending: accepted.
template <Shape shape>
[[gnu::noinline]] Verdict accept_number(Context& context, SaSlot& slot, std::uint64_t number) noexcept {
  ReplayWindow& window = slot.window;
  if (const Verdict verdict = verdict_of(window.check(number)); verdict != Verdict::pending) return verdict;
  if (slot.expired.load(std::memory_order_relaxed)) return Verdict::hard_expired;
  if (Of<shape>::esn(context)) context.count_authentic(number, window.top(), window.size(), context.resync_tally);
  window.accept(number);
  return Verdict::pending;
}

// The end of a text with an IPv4 packet in it and `pad` bytes of padding, as a word of eight bytes: which bits of it
// are padding, its length and the next header, and what these are.
struct TextEnd {
  std::uint64_t bits;
  std::uint64_t value;
};
constexpr std::array<TextEnd, 4> text_ends = {{{0xffff, wire::protocol_ipip},
                                               {0xffffff, 0x01'01'00 | wire::protocol_ipip},
                                               {0xffffffff, 0x0102'02'00 | wire::protocol_ipip},
                                               {0xffffffffff, 0x010203'03'00 | wire::protocol_ipip}}};

// Most texts are an IPv4 packet without options, its padding as GCM needs it, three bytes at most, and the trailer: the
// packet's total length, if this is one and all of that is right. 0: finish_any() says what it is.
[[gnu::always_inline]] inline std::uint32_t common_inner_length(const std::uint8_t* text, std::uint32_t text_length,
                                                                wire::HeaderChecksum checksum) noexcept {
  constexpr std::uint32_t not_padding = wire::ipv4_size + wire::esp_trailer_size;
  const std::uint32_t pad = text[text_length - wire::esp_trailer_size];
  if (pad >= text_ends.size() || text_length < not_padding + text_ends.size() - 1) return 0;
  const TextEnd& expected = text_ends[pad];
  if (((wire::load64(text + text_length - 8) ^ expected.value) & expected.bits) != 0) return 0;
  if (*text != wire::ipv4_no_options) return 0;
  const std::uint32_t length = wire::load16(text + wire::ipv4_total_length);
  if (length - wire::ipv4_size > text_length - pad - not_padding) return 0;
  if (checksum == wire::HeaderChecksum::verify && !wire::ipv4_checksum_is_right(text, wire::ipv4_size)) return 0;
  return length;
}

// A train's packets behind the cipher.
//
// 1. The tag. From here on each refusal leaves zeros where the payload was.
// 2. The number. Most packets come in order, and the SA has no limits then (IngressNumbers).
// 3. The trailer, and the mode's own part, finish_any(). Most packets are IPv4 without options in a tunnel, behind an
//    Ethernet header without tags, with equal ECN inside and outside, of an SA that carries anything: what is the same
//    in all of them is known where they are worked on.
template <Shape shape, bool lone>
[[gnu::noinline]] void finish_packets(const Train& train, BurstStage& stage) noexcept {
  Context& context = context_of<Context>(train);
  SaSlot& slot = *train.slot;
  IngressCounts counts(slot, stage.events);
  IngressNumbers numbers(slot, context.at_rest());
  const bool carries_anything =
      (Of<shape>::plain || context.tunnel) && context.selectors == nullptr && !context.dscp_copy_in;
  finish_jobs<lone>(
      train, stage, [&](const Job& job, const Work& work, const AeadOp& op) __attribute__((always_inline)) {
        Packet& packet = *job.destination;
        std::uint8_t* const text = op.out;
        const auto text_length = static_cast<std::uint32_t>(op.tag - text);
        // 1.
        if (!nearly_always(op.good)) {
          numbers.pause();
          context.count_failure();
          numbers.resume(context.at_rest());
          return refuse_and_zero(slot, Verdict::esp_bad_icv, text, packet.data + packet.length);
        }
        // 2.
        const bool in_order = numbers.accept_next(job.number);
        if (!in_order) {
          numbers.pause();
          const Verdict verdict = accept_number<shape>(context, slot, job.number);
          numbers.resume(context.at_rest());
          if (verdict != Verdict::pending) return refuse_and_zero(slot, verdict, text, packet.data + packet.length);
        }
        // 3.
        if (nearly_always(in_order && carries_anything && job.l2_length == wire::ethernet_size)) {
          const std::uint32_t length = common_inner_length(text, text_length, Of<shape>::inner_checksum(context));
          // The outer header is one without options too, then.
          const std::uint32_t differ = wire::load16(packet.data + wire::ethernet_size) ^ wire::load16(text);
          if (nearly_always(length != 0 && (differ & (0xff00U | wire::ecn_mask)) == 0)) {
            counts.add_unlimited(length);
            uncover(packet, wire::ethernet_size, text, length, Family::ipv4);
            return Verdict::ok;
          }
        }
        return finish_any(context, slot, stage.events, job, text, text_length, work.scratch);
      });
}

template <Shape shape>
void prepare_train(Train& train, BurstStage& stage) noexcept {
  is_lone(train, stage) ? prepare_packets<shape, true>(train, stage) : prepare_packets<shape, false>(train, stage);
}
template <Shape shape>
void finish_train(const Train& train, BurstStage& stage) noexcept {
  one_goes_on(train) ? finish_packets<shape, true>(train, stage) : finish_packets<shape, false>(train, stage);
}

}  // namespace

void prepare_decapsulate(Train& train, BurstStage& stage) noexcept {
  context_of<Context>(train).plain ? prepare_train<Shape::plain>(train, stage)
                                   : prepare_train<Shape::any>(train, stage);
}

void finish_decapsulate(const Train& train, BurstStage& stage) noexcept {
  context_of<Context>(train).plain ? finish_train<Shape::plain>(train, stage) : finish_train<Shape::any>(train, stage);
}

}  // namespace linecrypt::software::esp
