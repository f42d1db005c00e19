#include "host/software/esp/encapsulate.hpp"

#include <algorithm>
#include <cstring>

#include "host/software/esp/sa_context.hpp"
#include "host/values/lifetimes.hpp"
#include "host/values/numbers.hpp"
#include "linecrypt/wire/ecn.hpp"

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

// RFC 4303 2.4 - 2.6: padding 1, 2, 3, then pad length and next header.
void write_trailer(std::uint8_t* text, const Text& sizes, std::uint8_t next_header) noexcept {
  // All three bytes of padding, and what is too many lies under the trailer or the ICV, both written later.
  std::uint8_t* p = text + sizes.clear;
  wire::store32(p, 0x01020300);
  wire::store16(p + sizes.pad, static_cast<std::uint16_t>(sizes.pad << 8U | next_header));
}

// SPI, sequence number, IV. The IV is the full number: a counter, so a nonce never comes twice under one key
// (RFC 4106 3.1).
void write_esp_header(std::uint8_t* esp, const Context& context, std::uint64_t number) noexcept {
  wire::store64(esp, std::uint64_t{context.spi} << 32U | static_cast<std::uint32_t>(number));
  wire::store64(esp + wire::esp_header_size, number);
}

// RFC 3948 2.1: the UDP length; over IPv4 the checksum is zero, over IPv6 finish_udp_checksum() computes it.
void finish_udp_header(std::uint8_t* udp, std::uint32_t length) noexcept {
  wire::store16(udp + wire::udp_length, static_cast<std::uint16_t>(length));
  wire::store16(udp + wire::udp_checksum, 0);
}

// Work::scratch of a packet under a header of `outer`.
std::uint32_t needs_checksum(bool udp, Family outer) noexcept {
  return udp && outer == Family::ipv6 ? 1 : 0;
}

// The outer header's fields that depend on the inner packet (RFC 4301 5.1.2).
//
// 1. DSCP: the inner one or the SA's (RFC 4301 5.1.2 note 4). ECN by RFC 6040 4.1.
// 2. IPv4: DF by policy, where an inner IPv6 packet counts as DF set; an identification only where fragments may
//    come to be (RFC 6864 4.1).
// 3. IPv6: flow label (RFC 6437 4: a tunnel may copy it; else one per SA).
// 4. The length, and over IPv4 the checksum: the template's sum and the first eight bytes.
template <Shape shape>
[[gnu::always_inline]] inline void write_outer(Context& context, std::uint8_t* outer, const IpPacket& inner,
                                               std::uint32_t total) noexcept {
  // 1.
  const std::uint8_t inner_class = inner.traffic_class();
  const auto inner_ecn = static_cast<wire::Ecn>(inner_class & wire::ecn_mask);
  const std::uint32_t dscp = context.dscp_copy_out ? inner_class & wire::dscp_mask : std::uint32_t{context.dscp} << 2U;
  const auto outer_class =
      static_cast<std::uint8_t>(dscp | static_cast<std::uint32_t>(wire::ecn_of_outer(inner_ecn, context.ecn)));
  if (Of<shape>::outer_family(context) == Family::ipv4) {
    // 2.
    const bool df = context.df == DfPolicy::set || (context.df == DfPolicy::copy && inner.dont_fragment());
    const std::uint32_t class_and_length = std::uint32_t{0x4500} << 16U | std::uint32_t{outer_class} << 16U | total;
    const std::uint32_t fragment =
        df ? wire::ipv4_flag_df : static_cast<std::uint32_t>(context.identification++) << 16U;
    // 4.
    const std::uint64_t front = std::uint64_t{class_and_length} << 32U | fragment;
    std::memcpy(outer, context.header.data(), wire::ipv4_size);
    wire::store64(outer, front);
    // The sum of 16-bit words does not depend on where in a word they stand.
    const std::uint64_t sum = std::uint64_t{class_and_length} + fragment + context.header_sum;
    wire::store16(outer + wire::ipv4_checksum, static_cast<std::uint16_t>(~wire::fold(sum)));
  } else {
    // 3.
    const bool copy = context.flow_label_copy && inner.family == Family::ipv6;
    const std::uint32_t label = copy ? wire::ipv6_flow_label(inner.data) : context.flow_label;
    std::memcpy(outer, context.header.data(), wire::ipv6_size);
    wire::store32(outer, 0x60000000U | static_cast<std::uint32_t>(outer_class) << 20U | label);
    // 4.
    wire::store16(outer + wire::ipv6_payload_length, static_cast<std::uint16_t>(total - wire::ipv6_size));
  }
}

// False: the outer length field cannot say `total`.
bool fits_length_field(Family family, std::uint32_t total) noexcept {
  return total <= (family == Family::ipv4 ? wire::ipv4_total_max : wire::ipv6_size + wire::ipv6_payload_max);
}

// False: the packet's memory has no room for `front` more bytes before and `behind` bytes from the IP header's
// position `from` on.
bool fits_memory(const Packet& packet, std::uint32_t front, std::uint32_t from, std::uint64_t behind) noexcept {
  return packet.headroom >= front && std::uint64_t{packet.length} - from + packet.tailroom >= behind;
}

// Takes the number, the last thing that may fail, and counts the packet.
template <Shape shape>
[[gnu::always_inline]] inline Verdict take(Context& context, Work& work, std::uint32_t bytes, Events& events) noexcept {
  Verdict verdict = Verdict::pending;
  const std::uint64_t last = Of<shape>::esn(context) ? number_last_64bit : number_last_32bit;
  if (!take_number(*work.slot, last, events, work.number, verdict)) return verdict;
  count_packet(*work.slot, bytes, events);
  return Verdict::pending;
}

// RFC 4303 3.3, tunnel mode, for SAs of one shape and inner packets of one family.
//
// 1. The inner packet: whole and valid, its header checksum where asked. What follows its total length is padding of
// the layer below: dropped.
// 2. TTL, where this gateway is the forwarder (RFC 4301 5.1.2.1).
// 3. Sizes; TFC padding fills the inner packet up to a size (RFC 4303 2.7).
// 4. The number.
// 5. Inner TTL and its checksum; TFC padding, padding, trailer.
// 6. The l2 header moves to the front; outer IP, UDP and ESP headers into the gap.
template <Shape shape, Family family>
[[gnu::noinline]] Verdict prepare_tunnel(Context& context, Work& work, AeadOp& op, Events& events) noexcept {
  using Sa = Of<shape>;
  // A copy, and addresses in locals: a store into the frame could be one into `*work.packet` for all that the compiler
  // knows.
  Packet packet = *work.packet;
  const std::uint32_t l2 = work.job->l2_length;
  std::uint8_t* const before = packet.data;
  std::uint8_t* const text = before + l2;
  // 1.
  const IpPacket inner = wire::parse_ip_as<family>(text, packet.length - l2, context.inner_checksum);
  if (!inner.valid) return Verdict::malformed_ip;
  // 2.
  if (context.decrement_ttl && inner.hop_limit() <= 1) return Verdict::ttl_exceeded;
  // 3.
  const std::uint32_t inner_length = inner.total_length;
  const Text sizes = text_of(Sa::plain ? inner_length : std::max<std::uint32_t>(inner_length, context.tfc_pad_to));
  const std::uint32_t front = (Sa::plain ? wire::ipv4_size : context.outer_size) + esp_front;
  const std::uint32_t behind = sizes.length + esp_icv_size;
  if (!fits_length_field(Sa::outer_family(context), front + behind)) return Verdict::too_big;
  if (!fits_memory(packet, front, l2, behind)) return Verdict::no_buffer;
  // 4.
  if (const Verdict verdict = take<shape>(context, work, inner_length, events); verdict != Verdict::pending)
    return verdict;
  const std::uint64_t number = work.number;
  // 5.
  if (context.decrement_ttl) {
    if (family == Family::ipv4)
      wire::ipv4_decrement_ttl(text);
    else
      --text[wire::ipv6_hop_limit];
  }
  packet.set_length(l2 + behind);
  packet.push_front(front);
  *work.packet = packet;
  if (sizes.clear != inner_length) std::memset(text + inner_length, 0, sizes.clear - inner_length);
  write_trailer(text, sizes, family == Family::ipv4 ? wire::protocol_ipip : wire::protocol_ipv6);
  // 6.
  std::uint8_t* const outer = text - front;
  std::uint8_t* const esp = text - esp_front;
  move_l2(packet.data, before, l2);
  set_ethertype(packet, l2, Sa::outer_family(context));
  work.offset = l2 + front - esp_front;
  work.scratch = needs_checksum(Sa::udp(context), Sa::outer_family(context));
  write_outer<shape>(context, outer, inner, front + behind);
  if (Sa::udp(context)) {
    std::uint8_t* udp = esp - wire::udp_size;
    std::memcpy(udp, context.header.data() + context.outer_size - wire::udp_size, wire::udp_size);
    finish_udp_header(udp, wire::udp_size + esp_front + behind);
  }
  write_esp_header(esp, context, number);
  fill_aead<shape>(context, work, op, esp, number, sizes.length);
  return Verdict::pending;
}

// RFC 4303 3.3, transport mode.
//
// 1. The packet: whole and valid. Fragments are refused: transport mode protects whole datagrams (RFC 4303 3.3.4). So
//    is UDP over IPv6 behind a routing header that is not done: its checksum needs the last destination.
// 2. Sizes. ESP goes behind the headers that routers read (RFC 4303 3.1.1).
// 3. The number.
// 4. Padding, trailer.
// 5. The headers before ESP move to the front; their protocol, length and checksum change.
[[gnu::noinline]] Verdict prepare_transport(Context& context, Work& work, AeadOp& op, Events& events) noexcept {
  Packet& packet = *work.packet;
  const std::uint32_t l2 = work.job->l2_length;
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
  if (const Verdict verdict = take<Shape::any>(context, work, sizes.clear, events); verdict != Verdict::pending)
    return verdict;
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
  }
  write_esp_header(esp, context, work.number);
  work.offset = static_cast<std::uint32_t>(esp - packet.data);
  work.scratch = needs_checksum(context.udp, ip.family);
  fill_aead<Shape::any>(context, work, op, esp, work.number, sizes.length);
  return Verdict::pending;
}

}  // namespace

Verdict prepare_encapsulate(Work& work, AeadOp& op, Events& events) noexcept {
  Context& context = context_of<Context>(work);
  if (!l2_header_fits(*work.packet, work.job->l2_length)) return Verdict::malformed_ethernet;
  if (!context.tunnel) return prepare_transport(context, work, op, events);
  const std::uint32_t l2 = work.job->l2_length;
  if (work.packet->length == l2) return Verdict::malformed_ip;
  const bool ipv4 = work.packet->data[l2] >> 4U == 4;
  if (context.plain)
    return ipv4 ? prepare_tunnel<Shape::plain, Family::ipv4>(context, work, op, events)
                : prepare_tunnel<Shape::plain, Family::ipv6>(context, work, op, events);
  return ipv4 ? prepare_tunnel<Shape::any, Family::ipv4>(context, work, op, events)
              : prepare_tunnel<Shape::any, Family::ipv6>(context, work, op, events);
}

// UDP over IPv6 has a checksum, and it covers the ciphertext (RFC 8200 8.1, RFC 3948 2.1). One that comes out as zero
// is sent as 0xffff.
Verdict finish_udp_checksum(Work& work) noexcept {
  const Packet& packet = *work.packet;
  const std::uint8_t* ip = packet.data + work.job->l2_length;
  std::uint8_t* udp = packet.data + work.offset - wire::udp_size;
  const auto length = static_cast<std::uint32_t>(packet.data + packet.length - udp);
  const std::uint16_t sum = wire::checksum_with_pseudo_header(ip + wire::ipv6_source, ip + wire::ipv6_destination, 16,
                                                              wire::protocol_udp, udp, length);
  wire::store16(udp + wire::udp_checksum, sum == 0 ? 0xffff : sum);
  return Verdict::ok;
}

}  // namespace linecrypt::software::esp
