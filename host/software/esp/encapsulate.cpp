#include "host/software/esp/encapsulate.hpp"

#include <algorithm>
#include <cstring>

#include "host/software/esp/sa_context.hpp"
#include "host/values/likely.hpp"
#include "host/values/numbers.hpp"

namespace linecrypt::software::esp {
namespace {

using wire::IpPacket;
using Context = EgressContext;

// The text: what is encrypted, padding and trailer included.
struct Text {
  std::uint32_t clear = 0;   // bytes from the packet, or TFC padding behind them
  std::uint32_t pad = 0;     // 0..3
  std::uint32_t length = 0;  // with pad length and next header
};

// RFC 4303 2.4: pad length and next header end on a 4-byte boundary. GCM needs no block padding (RFC 4106 3.2).
Text text_of(std::uint32_t clear) noexcept {
  const std::uint32_t pad = (0U - (clear + wire::esp_trailer_size)) % 4;
  return {.clear = clear, .pad = pad, .length = clear + pad + wire::esp_trailer_size};
}
// In tunnel mode, of an inner packet.
template <Shape shape>
Text text_of(const Context& context, std::uint32_t inner_length) noexcept {
  return text_of(Of<shape>::plain ? inner_length : std::max<std::uint32_t>(inner_length, context.tfc_pad_to));
}
// What stands before the text in tunnel mode.
template <Shape shape>
std::uint32_t front_of(const Context& context) noexcept {
  return (Of<shape>::plain ? wire::ipv4_size : context.outer_size) + esp_front;
}

// RFC 4303 2.4 - 2.6: padding 1, 2, 3, then pad length and next header.
void write_trailer(std::uint8_t* text, const Text& sizes, std::uint8_t next_header) noexcept {
  // All three bytes of padding, and what is too many lies under the trailer or the ICV, both written later.
  std::uint8_t* p = text + sizes.clear;
  wire::store32(p, 0x01020300);
  wire::store16(p + sizes.pad, static_cast<std::uint16_t>(sizes.pad << 8U | next_header));
}

// SPI, sequence number, IV. The IV is the full number: a counter, so a nonce never comes twice under one key
// (RFC 4106 3.1).
void write_esp_header(std::uint8_t* esp, WireSpi spi, std::uint64_t number) noexcept {
  const std::uint64_t iv = wire::bytes_of(number);
  wire::put16(esp, wire::join(wire::bytes4(spi.data()), static_cast<std::uint32_t>(iv >> 32U)), iv);
}

// RFC 3948 2.1: the UDP length; over IPv4 the checksum is zero, over IPv6 finish_udp_checksum() computes it.
void finish_udp_header(std::uint8_t* udp, std::uint32_t length) noexcept {
  wire::store16(udp + wire::udp_length, static_cast<std::uint16_t>(length));
  wire::store16(udp + wire::udp_checksum, 0);
}

// Work::at is where the text begins, Work::length the inner packet's length, and Work::scratch this for a packet with a
// UDP header under one of `outer`.
std::uint32_t needs_checksum(Family outer) noexcept {
  return outer == Family::ipv6 ? 1 : 0;
}

// Outer IPv4 headers of an SA (RFC 4301 5.1.2): what its packets have in common, and of the first eight bytes those
// bits that are the inner header's.
struct OuterIpv4 {
  std::uint64_t copied;
  std::uint64_t set;

  explicit OuterIpv4(const Context& context) noexcept
      : copied(word(context.class_copied, context.flags_copied)),
        set(std::uint64_t{wire::ipv4_no_options} << 56U | word(context.class_set, context.flags_set)) {}
  // The first eight bytes of a header with this TOS and these flags, and nothing else.
  static constexpr std::uint64_t word(std::uint8_t tos, std::uint8_t flags) noexcept {
    return std::uint64_t{tos} << 48U | std::uint64_t{flags} << 8U;
  }
};

// The outer IPv4 header of a packet of `total` bytes around an inner one whose TOS and flags stand in `inner` as in its
// first eight bytes.
//
// 1. The fields that depend on the inner packet. DF by policy, where an inner IPv6 packet counts as DF set; an
//    identification only where fragments may come to be (RFC 6864 4.1).
// 2. The checksum: the template's sum and these fields', for the sum of 16-bit words does not depend on where in a word
//    they stand.
[[gnu::always_inline]] inline void write_outer_ipv4(Context& context, const OuterIpv4& of_sa, std::uint8_t* outer,
                                                    std::uint64_t inner, std::uint32_t total) noexcept {
  // 1.
  std::uint64_t first = (inner & of_sa.copied) | of_sa.set | std::uint64_t{total} << 32U;
  if ((first & 0xff00U) == 0) first |= std::uint64_t{context.identification++} << 16U;
  // 2.
  const std::uint64_t sum = (first >> 32U) + (first & 0xffffffffU) + context.header_sum;
  const auto checksum = static_cast<std::uint16_t>(~wire::fold(sum));
  const std::uint8_t* const fixed = context.header.data();
  static_assert(wire::ipv4_checksum == wire::ipv4_ttl + 2);
  wire::put16(outer, wire::bytes_of(first),
              wire::bytes8(fixed + wire::ipv4_ttl) | std::uint64_t{wire::bytes_of(checksum)} << 16U);
  wire::put4(outer + wire::ipv4_destination, wire::bytes4(fixed + wire::ipv4_destination));
}

// The outer IPv6 header. Flow label: a tunnel may copy it, else one per SA (RFC 6437 4).
template <Family family>
void write_outer_ipv6(const Context& context, std::uint8_t* outer, const std::uint8_t* inner,
                      std::uint32_t total) noexcept {
  const auto outer_class =
      static_cast<std::uint32_t>((wire::traffic_class_as<family>(inner) & context.class_copied) | context.class_set);
  const bool copy = context.flow_label_copy && family == Family::ipv6;
  const std::uint32_t label = copy ? wire::ipv6_flow_label(inner) : context.flow_label;
  std::memcpy(outer, context.header.data(), wire::ipv6_size);
  wire::store32(outer, 0x60000000U | outer_class << 20U | label);
  wire::store16(outer + wire::ipv6_payload_length, static_cast<std::uint16_t>(total - wire::ipv6_size));
}

// False: the outer length field cannot say `total`.
bool fits_length_field(Family family, std::uint32_t total) noexcept {
  return total <= (family == Family::ipv4 ? wire::ipv4_total_max : wire::ipv6_size + wire::ipv6_payload_max);
}

// False: the packet's memory has no room for `front` more bytes before and `behind` bytes from the IP header's
// position `from` on.
[[gnu::always_inline]] inline bool fits_memory(const Packet& packet, std::uint32_t front, std::uint32_t from,
                                               std::uint64_t behind) noexcept {
  return packet.headroom >= front && std::uint64_t{packet.length} + packet.tailroom >= from + behind;
}

template <Shape shape>
std::uint64_t last_number(const Context& context) noexcept {
  return Of<shape>::esn(context) ? number_last_64bit : number_last_32bit;
}

// RFC 4303 3.3, tunnel mode, for SAs of one shape and inner packets of one family, in two steps: a train takes the
// first for all its packets before the second, so that each finds room for what it works with in the CPU's registers.
//
// The first step, all that may fail:
//
// 1. The inner packet: whole and valid, its header checksum where asked. What follows its total length is padding of
// the layer below: dropped.
// 2. TTL, where this gateway is the forwarder (RFC 4301 5.1.2.1).
// 3. Sizes; TFC padding fills the inner packet up to a size (RFC 4303 2.7).
// 4. The number. The packet gets its room, nothing of the frame changes yet.
template <Shape shape, Family family>
[[gnu::always_inline]] inline Verdict take_in(const Context& context, EgressTrain& numbers, Job& job, std::uint32_t l2,
                                              Work& work) noexcept {
  using Sa = Of<shape>;
  Packet& packet = *job.destination;
  // 1.
  const IpPacket inner = wire::parse_ip_as<family>(packet.data + l2, packet.length - l2, Sa::inner_checksum(context));
  if (!inner.valid) return Verdict::malformed_ip;
  // 2.
  if (Sa::decrement_ttl(context) && inner.hop_limit() <= 1) return Verdict::ttl_exceeded;
  // 3.
  const Text sizes = text_of<shape>(context, inner.total_length);
  const std::uint32_t front = front_of<shape>(context);
  const std::uint32_t behind = sizes.length + esp_icv_size;
  if (!fits_length_field(Sa::outer_family(context), front + behind)) return Verdict::too_big;
  if (!fits_memory(packet, front, l2, behind)) return Verdict::no_buffer;
  // 4.
  std::uint64_t number = 0;
  if (const Verdict verdict = numbers.take(inner.total_length, number); verdict != Verdict::pending) [[unlikely]]
    return verdict;
  work.at = packet.data + l2;
  work.length = inner.total_length;
  packet.set(packet.data - front, l2 + front + behind);
  job.number = number;
  return Verdict::pending;
}

// The second step, for an inner packet of `inner_length` bytes at `text`:
//
// 1. Inner TTL and its checksum; TFC padding, padding, trailer.
// 2. The l2 header moves to the front; outer IP, UDP and ESP headers into the gap.
template <Shape shape, Family family>
[[gnu::always_inline]] inline void write_tunnel(Context& context, const OuterIpv4& of_sa, std::uint64_t number,
                                                std::uint8_t* text, std::uint32_t inner_length, std::uint32_t l2,
                                                Work& work, AeadOp& op) noexcept {
  using Sa = Of<shape>;
  const std::uint32_t front = front_of<shape>(context);
  std::uint8_t* const outer = text - front;
  std::uint8_t* const esp = text - esp_front;
  const Text sizes = text_of<shape>(context, inner_length);
  const std::uint32_t total = front + sizes.length + esp_icv_size;
  // 1.
  if (Sa::decrement_ttl(context)) {
    if (family == Family::ipv4)
      wire::ipv4_decrement_ttl(text);
    else
      --text[wire::ipv6_hop_limit];
  }
  if (!Sa::plain) std::memset(text + inner_length, 0, sizes.clear - inner_length);
  write_trailer(text, sizes, family == Family::ipv4 ? wire::protocol_ipip : wire::protocol_ipv6);
  // 2.
  move_l2(outer, text, l2, Sa::outer_family(context));
  if (Sa::outer_family(context) == Family::ipv4) {
    const std::uint64_t inner =
        family == Family::ipv4 ? wire::load64(text)
                               : OuterIpv4::word(wire::traffic_class_as<family>(text), wire::ip_flags_as<family>(text));
    write_outer_ipv4(context, of_sa, outer, inner, total);
  } else {
    write_outer_ipv6<family>(context, outer, text, total);
  }
  if (Sa::udp(context)) {
    std::uint8_t* udp = esp - wire::udp_size;
    std::memcpy(udp, context.header.data() + context.outer_size - wire::udp_size, wire::udp_size);
    finish_udp_header(udp, total - (front - esp_front - wire::udp_size));
    work.scratch = needs_checksum(Sa::outer_family(context));
  }
  write_esp_header(esp, context.spi, number);
  fill_aead<shape>(context, number, work.aad.data(), op, esp, wire::bytes_of(number), sizes.length);
}

// RFC 4303 3.3, transport mode.
//
// 1. The packet: whole and valid. Fragments are refused: transport mode protects whole datagrams (RFC 4303 3.3.4). So
//    is UDP over IPv6 behind a routing header that is not done: its checksum needs the last destination.
// 2. Sizes. ESP goes behind the headers that routers read (RFC 4303 3.1.1).
// 3. The number.
// 4. Padding, trailer.
// 5. The headers before ESP move to the front; their protocol, length and checksum change.
Verdict prepare_transport(Context& context, EgressTrain& numbers, Job& job, Work& work, AeadOp& op) noexcept {
  Packet& packet = *job.destination;
  const std::uint32_t l2 = job.l2_length;
  // 1.
  const IpPacket ip = wire::parse_ip(packet.data + l2, packet.length - l2);
  if (!ip.valid) return Verdict::malformed_ip;
  if (ip.fragment) return Verdict::unsupported;
  if (context.udp && ip.routing_pending) return Verdict::unsupported;
  // 2.
  const Text sizes = text_of(ip.total_length - ip.esp_offset);
  const std::uint32_t front = context.outer_size + esp_front;
  const std::uint32_t behind = sizes.length + esp_icv_size;
  if (!fits_length_field(ip.family, ip.esp_offset + front + behind)) return Verdict::too_big;
  if (!fits_memory(packet, front, l2, ip.esp_offset + behind)) return Verdict::no_buffer;
  // 3.
  if (const Verdict verdict = numbers.take(sizes.clear, job.number); verdict != Verdict::pending) return verdict;
  // 4.
  packet.set_length(l2 + ip.esp_offset + behind);
  write_trailer(packet.data + l2 + ip.esp_offset, sizes, ip.data[ip.esp_protocol_offset]);
  // 5.
  std::memmove(packet.data - front, packet.data, l2 + ip.esp_offset);
  packet.push_front(front);
  std::uint8_t* header = packet.data + l2;
  std::uint8_t* esp = header + ip.esp_offset + context.outer_size;
  header[ip.esp_protocol_offset] = context.udp ? wire::protocol_udp : wire::protocol_esp;
  set_total_length(header, ip.esp_offset + front + behind);
  if (context.udp) {
    std::memcpy(esp - wire::udp_size, context.header.data(), wire::udp_size);
    finish_udp_header(esp - wire::udp_size, wire::udp_size + esp_front + behind);
    work.at = esp + esp_front;
    work.scratch = needs_checksum(ip.family);
  }
  write_esp_header(esp, context.spi, job.number);
  fill_aead<Shape::any>(context, job.number, work.aad.data(), op, esp, wire::bytes_of(job.number), sizes.length);
  return Verdict::pending;
}

// In Work::length between the two steps: not of the common kind.
constexpr std::uint32_t uncommon = 1U << 31U;

// The two steps for a packet of any kind.
template <Shape shape>
[[gnu::noinline]] Verdict take_in_any(const Train& train, Events& events, Job& job, Work& work) noexcept {
  const Context& context = context_of<Context>(train);
  EgressTrain numbers(*train.slot, last_number<shape>(context), events);
  const Packet& packet = *job.destination;
  const std::uint32_t l2 = job.l2_length;
  if (!l2_header_fits(packet, l2)) return Verdict::malformed_ethernet;
  if (packet.length == l2) return Verdict::malformed_ip;
  const Verdict verdict = packet.data[l2] >> 4U == 4 ? take_in<shape, Family::ipv4>(context, numbers, job, l2, work)
                                                     : take_in<shape, Family::ipv6>(context, numbers, job, l2, work);
  work.length |= uncommon;
  return verdict;
}
template <Shape shape>
[[gnu::noinline]] void write_any(Context& context, const Job& job, Work& work, AeadOp& op) noexcept {
  const OuterIpv4 of_sa(context);
  const std::uint32_t length = work.length & ~uncommon;
  if (*work.at >> 4U == 4)
    write_tunnel<shape, Family::ipv4>(context, of_sa, job.number, work.at, length, job.l2_length, work, op);
  else
    write_tunnel<shape, Family::ipv6>(context, of_sa, job.number, work.at, length, job.l2_length, work, op);
}

// Most packets are IPv4 without options behind an Ethernet header without tags: what is the same in all of them is
// known where they are worked on.
template <Shape shape>
[[gnu::noinline]] void take_in_tunnels(Train& train, BurstStage& stage) noexcept {
  const Context& context = context_of<Context>(train);
  EgressTrain numbers(*train.slot, last_number<shape>(context), stage.events);
  prepare_jobs<false>(
      train, stage, [&](Job & job, Work & work, AeadOp&) __attribute__((always_inline)) {
        if (nearly_always(is_common(*job.destination, job)))
          return take_in<shape, Family::ipv4>(context, numbers, job, wire::ethernet_size, work);
        numbers.pause();
        const Verdict verdict = take_in_any<shape>(train, stage.events, job, work);
        numbers.resume();
        return verdict;
      });
}
template <Shape shape>
[[gnu::noinline]] void write_tunnels(const Train& train) noexcept {
  Context& context = context_of<Context>(train);
  const OuterIpv4 of_sa(context);
  write_each(
      train, [&](const Job& job, Work& work, AeadOp& op) __attribute__((always_inline)) {
        if (nearly_always((work.length & uncommon) == 0))
          write_tunnel<shape, Family::ipv4>(context, of_sa, job.number, work.at, work.length, wire::ethernet_size, work,
                                            op);
        else
          write_any<shape>(context, job, work, op);
      });
}
// Both steps at once for a train of one job.
template <Shape shape>
[[gnu::noinline]] void prepare_lone_tunnel(Train& train, BurstStage& stage) noexcept {
  Context& context = context_of<Context>(train);
  prepare_jobs<true>(
      train, stage, [&](Job & job, Work & work, AeadOp & op) __attribute__((always_inline)) {
        if (!nearly_always(is_common(*job.destination, job))) {
          const Verdict verdict = take_in_any<shape>(train, stage.events, job, work);
          if (verdict == Verdict::pending) write_any<shape>(context, job, work, op);
          return verdict;
        }
        EgressTrain numbers(*train.slot, last_number<shape>(context), stage.events);
        const Verdict verdict = take_in<shape, Family::ipv4>(context, numbers, job, wire::ethernet_size, work);
        if (nearly_always(verdict == Verdict::pending))
          write_tunnel<shape, Family::ipv4>(context, OuterIpv4(context), job.number, work.at, work.length,
                                            wire::ethernet_size, work, op);
        return verdict;
      });
}
template <Shape shape>
void prepare_tunnels(Train& train, BurstStage& stage) noexcept {
  if (is_lone(train, stage)) return prepare_lone_tunnel<shape>(train, stage);
  take_in_tunnels<shape>(train, stage);
  write_tunnels<shape>(train);
}

[[gnu::noinline]] void prepare_transports(Train& train, BurstStage& stage) noexcept {
  Context& context = context_of<Context>(train);
  EgressTrain numbers(*train.slot, last_number<Shape::any>(context), stage.events);
  prepare_jobs<false>(train, stage, [&](Job& job, Work& work, AeadOp& op) {
    if (!l2_header_fits(*job.destination, job.l2_length)) return Verdict::malformed_ethernet;
    return prepare_transport(context, numbers, job, work, op);
  });
}

// UDP over IPv6 has a checksum, and it covers the ciphertext (RFC 8200 8.1, RFC 3948 2.1). One that comes out as zero
// is sent as 0xffff.
void finish_udp_checksum(const Job& job, const Work& work) noexcept {
  const Packet& packet = *job.destination;
  const std::uint8_t* ip = packet.data + job.l2_length;
  std::uint8_t* udp = work.at - esp_front - wire::udp_size;
  const auto length = static_cast<std::uint32_t>(packet.data + packet.length - udp);
  const std::uint16_t sum = wire::checksum_with_pseudo_header(ip + wire::ipv6_source, ip + wire::ipv6_destination, 16,
                                                              wire::protocol_udp, udp, length);
  wire::store16(udp + wire::udp_checksum, sum == 0 ? 0xffff : sum);
}

}  // namespace

void prepare_encapsulate(Train& train, BurstStage& stage) noexcept {
  const Context& context = context_of<Context>(train);
  if (context.plain) return prepare_tunnels<Shape::plain>(train, stage);
  if (context.tunnel) return prepare_tunnels<Shape::any>(train, stage);
  prepare_transports(train, stage);
}

void finish_encapsulate(const Train& train, BurstStage& stage) noexcept {
  if (!context_of<Context>(train).udp) return finish_sealed(train, stage);
  finish_jobs<false>(train, stage, [](Job& job, const Work& work, const AeadOp&) {
    if (work.scratch != 0) finish_udp_checksum(job, work);
    return Verdict::ok;
  });
}

}  // namespace linecrypt::software::esp
