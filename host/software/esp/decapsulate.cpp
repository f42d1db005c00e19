#include "host/software/esp/decapsulate.hpp"

#include <algorithm>
#include <cstring>

#include "host/software/esp/sa_context.hpp"
#include "host/software/esp/sequence.hpp"
#include "host/software/esp/transport_checksum.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/likely.hpp"
#include "host/values/refusals.hpp"
#include "linecrypt/wire/ecn.hpp"

namespace linecrypt::software::esp {
namespace {

using wire::IpPacket;
using Context = IngressContext;

// What finish needs of prepare's parsing: Work::at is where the text begins, Work::length its length, and Work::scratch
// these two of the outer headers: where the protocol is named, and the TOS or traffic class.
constexpr std::uint32_t pack(std::uint32_t protocol_offset, std::uint8_t outer_class) noexcept {
  return protocol_offset << 8U | outer_class;
}
constexpr std::uint32_t protocol_offset_of(std::uint32_t scratch) noexcept {
  return scratch >> 8U;
}
constexpr std::uint8_t outer_class_of(std::uint32_t scratch) noexcept {
  return static_cast<std::uint8_t>(scratch);
}

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

// What the numbers of a train's packets are told by before they are opened. Nothing of it moves until then.
template <Shape shape>
class Numbering {
 public:
  Numbering(SaSlot& slot, Context& context) noexcept
      : window_(slot.window), context_(context), inference_(window_.top(), window_.size()) {
    renew();
  }

  // The next packet shall be tried ahead of its inferred number (resync.hpp).
  [[nodiscard]] bool ahead_due() const noexcept { return ahead_due_; }
  // After another one of these has found numbers.
  void renew() noexcept { ahead_due_ = Of<shape>::esn(context_) && context_.due(); }

  // The full number and a first look at the window, before any cryptography (RFC 4303 3.4.3). The window does not move.
  //
  // 1. Without ESN the number is what the packet says.
  // 2. With it the high half is inferred (A2.2), or ahead of that while resynchronising (A3).
  // 3. Mostly packets come in order. Number 0 is never sent (RFC 4303 3.3.3), and never above the top.
  [[gnu::always_inline]] Verdict find(std::uint32_t low, std::uint64_t& number) noexcept {
    // 1.
    number = low;
    if (Of<shape>::esn(context_)) {
      // 2.
      const auto inferred = inference_.infer(low);
      if (!inferred) return Verdict::replay_late;
      number = *inferred;
      if (ahead_due_) [[unlikely]]
        go_ahead(number);
    }
    // 3.
    if (number > window_.top()) [[likely]]
      return Verdict::pending;
    if (number == 0) return Verdict::number_zero;
    return verdict_of(window_.check(number));
  }

 private:
  void go_ahead(std::uint64_t& number) noexcept {
    ahead_due_ = false;
    const std::uint64_t ahead = std::uint64_t{context_.try_ahead(context_.resync_tally)} << 32U;
    if (number <= ~std::uint64_t{0} - ahead) number += ahead;
  }

  const ReplayWindow& window_;
  Context& context_;
  NumberInference inference_;
  bool ahead_due_ = false;
};

// The clear packet inside, once it is known to be good. `verdict` is pending then.
struct Inner {
  Verdict verdict = Verdict::pending;
  std::uint8_t next_header = 0;
  std::uint32_t length = 0;  // of the payload, TFC padding included
};

// Padding of `pad` bytes that end before `end` is 1, 2, 3, ... (RFC 4303 2.4). GCM's own need is at most three bytes:
// of those, and of ESP header and IV before them, one word is read.
[[gnu::always_inline]] inline bool padding_is_right(const std::uint8_t* end, std::uint32_t pad) noexcept {
  static constexpr std::uint32_t expected[] = {0, 0x01, 0x0102, 0x010203};
  if (nearly_always(pad <= 3))
    return static_cast<std::uint32_t>(wire::load32(end - 4) & ((std::uint64_t{1} << (8 * pad)) - 1)) == expected[pad];
  const std::uint8_t* const begin = end - pad;
  for (std::uint32_t i = 0; i < pad; ++i)
    if (begin[i] != i + 1) return false;
  return true;
}

// The trailer (RFC 4303 2.4 - 2.6, 3.4.4.2). ESP header and IV stand before the text.
//
// 1. A dummy packet ends here; its text need not be anything.
// 2. Padding no longer than the text, and 1, 2, 3, ...
[[gnu::always_inline]] inline Inner read_trailer(const std::uint8_t* text, std::uint32_t length) noexcept {
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

// RFC 4303 3.4.4 and RFC 4301 5.2, tunnel mode, for inner packets of one family. `text` is the payload, of
// `payload_length` bytes with what may be behind the inner packet, `end` the packet's end as it came.
//
// 1. The inner packet: of the family that the next header says, valid, no longer than the payload. TFC padding behind
//    it is dropped (RFC 4303 2.7).
// 2. Selectors, then ECN.
// 3. Lifetime.
// 4. The l2 header moves up to the inner packet; exactly the clear length stays.
template <Shape shape, Family family>
[[gnu::always_inline]] inline Verdict finish_tunnel(const Context& context, SaSlot& slot, IngressCounts& counts,
                                                    Packet& packet, std::uint32_t l2, std::uint8_t* text,
                                                    std::uint32_t payload_length, const std::uint8_t* end,
                                                    std::uint8_t outer_class) noexcept {
  // 1.
  const IpPacket inner = wire::parse_ip_as<family>(text, payload_length, Of<shape>::inner_checksum(context));
  if (!inner.valid) return refuse_and_zero(slot, Verdict::esp_bad_inner, text, end);
  // 2.
  if (!selected(context, text, inner.total_length)) return refuse_and_zero(slot, Verdict::selector_mismatch, text, end);
  std::uint8_t* const outer = packet.data + l2;
  const std::uint8_t inner_class = inner.traffic_class();
  const bool keeps = keeps_class(context, inner_class, outer_class);
  if (!keeps && context.ecn &&
      wire::ecn_of_inner(static_cast<wire::Ecn>(inner_class & wire::ecn_mask),
                         static_cast<wire::Ecn>(outer_class & wire::ecn_mask))
          .drop)
    return refuse_and_zero(slot, Verdict::esp_bad_ecn, text, end);
  // 3.
  counts.add(inner.total_length);
  // 4. Everything of the packet before anything of the frame, as prepare_tunnel() of encapsulate.cpp has it.
  packet.pull_front(static_cast<std::uint32_t>(text - outer));
  packet.set_length(l2 + inner.total_length);
  if (!keeps) write_inner_class(context, text, inner_class, outer_class);
  move_l2(text, outer, l2, family);
  return Verdict::ok;
}

// RFC 4303 3.4.4 and RFC 4301 5.2, transport mode.
//
// 1. Hop-by-hop options cannot stand behind ESP (RFC 8200 4.1).
// 2. The headers before ESP move up to the payload; protocol, length and checksum become the clear packet's.
// 3. The whole packet is valid, not a fragment, and inside the selectors.
// 4. Lifetime.
// 5. Behind a NAT the TCP or UDP checksum covers addresses that are gone (RFC 3948 3.1.2).
Verdict finish_transport(const Context& context, SaSlot& slot, IngressCounts& counts, const Job& job, const Work& work,
                         const Inner& payload, const std::uint8_t* end) noexcept {
  Packet& packet = *job.destination;
  const std::uint32_t l2 = job.l2_length;
  std::uint8_t* const text = work.at;
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
  ip[protocol_offset_of(work.scratch)] = payload.next_header;
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

// For SAs of one shape and packets whose outer header is of one family.
//
// 1. The outer packet: whole and valid. Fragments are refused (RFC 4303 3.4.1); the host reassembles before.
// 2. The SA's own encapsulation: ESP or UDP.
// 3. Long enough for ESP header, IV, trailer and ICV.
// 4. SPI, addresses and ports are the SA's.
// 5. An SA past its hard lifetime opens nothing.
// 6. The number and the window (RFC 4303 3.4.3). Nothing moves before the tag is good.
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
  if (esp_length < esp_front + wire::esp_trailer_size + esp_icv_size) return Verdict::esp_short;
  std::uint8_t* esp = packet.data + l2 + esp_offset;
  // 4.
  if (std::memcmp(esp, context.spi.data(), context.spi.size()) != 0) return Verdict::esp_unknown_spi;
  if (!outer_is_of_sa<shape, family>(context, ip)) return refuse(slot, Verdict::esp_outer_mismatch);
  // 5.
  if (slot.expired.load(std::memory_order_relaxed)) return refuse(slot, Verdict::hard_expired);
  // 6.
  if (const Verdict verdict = numbering.find(wire::load32(esp + 4), job.number); verdict != Verdict::pending)
    return refuse(slot, verdict);
  const std::uint32_t text_length = esp_length - esp_front - esp_icv_size;
  work.at = esp + esp_front;
  work.length = text_length;
  work.scratch = pack(ip.l4_protocol_offset, ip.traffic_class());
  fill_aead<shape>(context, job.number, work.aad.data(), op, esp, wire::load64(esp + wire::esp_header_size),
                   text_length);
  return Verdict::pending;
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

template <Shape shape>
[[gnu::noinline]] void prepare_train(Train& train, BurstStage& stage) noexcept {
  Context& context = context_of<Context>(train);
  SaSlot& slot = *train.slot;
  Numbering<shape> numbering(slot, context);
  prepare_each(
      train, stage, [&](Job & job, Work & work, AeadOp & op) __attribute__((always_inline)) {
        if (nearly_always(is_common(*job.destination, job) && !numbering.ahead_due()))
          return prepare<shape, Family::ipv4>(context, slot, numbering, job, wire::ethernet_size, work, op);
        const Verdict verdict = prepare_any<shape>(train, job, work, op);
        numbering.renew();
        return verdict;
      });
}

// finish() of an authentic packet of any kind, from its trailer on.
[[gnu::noinline]] Verdict finish_any(const Context& context, SaSlot& slot, Events& events, const Job& job,
                                     const Work& work) noexcept {
  Packet& packet = *job.destination;
  std::uint8_t* const text = work.at;
  const std::uint8_t* const end = packet.data + packet.length;
  IngressCounts counts(slot, events);
  const Inner payload = read_trailer(text, work.length);
  if (payload.verdict == Verdict::dummy) {
    // RFC 4303 2.6: discarded without a word. It counts as a packet of no bytes.
    std::memset(text, 0, static_cast<std::size_t>(end - text));
    counts.add(0);
    return Verdict::dummy;
  }
  if (payload.verdict != Verdict::pending) return refuse_and_zero(slot, payload.verdict, text, end);
  if (!context.tunnel) return finish_transport(context, slot, counts, job, work, payload, end);
  const std::uint8_t outer_class = outer_class_of(work.scratch);
  if (payload.next_header == wire::protocol_ipip)
    return finish_tunnel<Shape::any, Family::ipv4>(context, slot, counts, packet, job.l2_length, text, payload.length,
                                                   end, outer_class);
  if (payload.next_header == wire::protocol_ipv6)
    return finish_tunnel<Shape::any, Family::ipv6>(context, slot, counts, packet, job.l2_length, text, payload.length,
                                                   end, outer_class);
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

// A train's packets behind the cipher.
//
// 1. The tag. From here on each refusal leaves zeros where the payload was.
// 2. The number. Most packets come in order, and then the window only moves on.
// 3. The trailer.
// 4. The mode's own part. Most packets are IPv4 without options in a tunnel behind an Ethernet header without tags:
// what
//    is the same in all of them is known where they are worked on.
template <Shape shape>
[[gnu::noinline]] void finish_train(const Train& train, BurstStage& stage) noexcept {
  using Sa = Of<shape>;
  Context& context = context_of<Context>(train);
  SaSlot& slot = *train.slot;
  ReplayWindow& window = slot.window;
  IngressCounts counts(slot, stage.events);
  bool at_rest = context.at_rest();
  finish_each(
      train, stage, [&](const Job& job, const Work& work, const AeadOp& op) __attribute__((always_inline)) {
        Packet& packet = *job.destination;
        const std::uint64_t number = job.number;
        std::uint8_t* const text = work.at;
        const std::uint8_t* const end = packet.data + packet.length;
        // 1.
        if (!nearly_always(op.good)) {
          context.count_failure();
          at_rest = false;
          return refuse_and_zero(slot, Verdict::esp_bad_icv, text, end);
        }
        // 2.
        if (nearly_always(window.is_next(number) && at_rest && !slot.expired.load(std::memory_order_relaxed))) {
          window.accept_next(number);
        } else {
          const Verdict verdict = accept_number<shape>(context, slot, number);
          if (verdict != Verdict::pending) return refuse_and_zero(slot, verdict, text, end);
          at_rest = context.at_rest();
        }
        // 3.
        const Inner payload = read_trailer(text, work.length);
        // 4.
        const bool common = payload.next_header == wire::protocol_ipip && payload.length >= wire::ipv4_size &&
                            *text == wire::ipv4_no_options && job.l2_length == wire::ethernet_size;
        if (nearly_always(common && (Sa::plain || context.tunnel)))
          return finish_tunnel<shape, Family::ipv4>(context, slot, counts, packet, wire::ethernet_size, text,
                                                    payload.length, end, outer_class_of(work.scratch));
        return finish_any(context, slot, stage.events, job, work);
      });
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
