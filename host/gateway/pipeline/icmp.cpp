#include "host/gateway/pipeline/icmp.hpp"

#include <algorithm>
#include <cstring>

#include "host/gateway/pipeline/ip_scope.hpp"

namespace linecrypt::gateway {

namespace {

constexpr std::uint8_t protocol_icmp = 1;
constexpr std::uint8_t protocol_icmpv6 = 58;
constexpr std::uint32_t icmp_header_size = 8;
constexpr std::uint8_t icmp_unreachable = 3;
constexpr std::uint8_t icmp_fragmentation_needed = 4;  // code
constexpr std::uint8_t icmp_time_exceeded = 11;
constexpr std::uint8_t icmpv6_too_big = 2;
constexpr std::uint8_t icmpv6_time_exceeded = 3;
constexpr std::uint8_t answer_hop_limit = 64;

bool is_icmp_error(const wire::IpPacket& ip) noexcept {
  const std::uint8_t type = ip.data[ip.l4_offset];
  if (ip.family == Family::ipv6) return type < 128 || type == 137;  // 137: redirect
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// The IP header alone, checksum included.
void write_ip_header(std::uint8_t* out, const IpAddress& source, const wire::IpPacket& offending,
                     std::uint32_t payload) noexcept {
  if (source.family == Family::ipv4) {
    std::memset(out, 0, wire::ipv4_size);
    out[0] = 0x45;
    wire::store16(out + wire::ipv4_total_length, static_cast<std::uint16_t>(wire::ipv4_size + payload));
    wire::store16(out + wire::ipv4_fragment, wire::ipv4_flag_df);  // so that ID 0 is right (RFC 6864 4.1)
    out[wire::ipv4_ttl] = answer_hop_limit;
    out[wire::ipv4_protocol] = protocol_icmp;
    std::memcpy(out + wire::ipv4_source, source.bytes.data(), 4);
    std::memcpy(out + wire::ipv4_destination, offending.source(), 4);
    wire::ipv4_set_checksum(out, wire::ipv4_size);
    return;
  }
  std::memset(out, 0, wire::ipv6_size);
  out[0] = 0x60;
  wire::store16(out + wire::ipv6_payload_length, static_cast<std::uint16_t>(payload));
  out[wire::ipv6_next_header] = protocol_icmpv6;
  out[wire::ipv6_hop_limit] = answer_hop_limit;
  std::memcpy(out + wire::ipv6_source, source.bytes.data(), 16);
  std::memcpy(out + wire::ipv6_destination, offending.source(), 16);
}

// The quoted packet is cut off and its length field names the whole, so the shared parser would refuse it: only what is
// needed is read, each byte within `length`.
std::optional<QuotedEsp> read_quote(Family family, const std::uint8_t* quote, std::uint32_t length) noexcept {
  QuotedEsp esp;
  esp.family = family;
  std::uint32_t offset = 0;
  std::uint8_t protocol = 0;
  if (family == Family::ipv4) {
    if (length < wire::ipv4_size || quote[0] >> 4U != 4) return std::nullopt;
    offset = (quote[0] & 0x0fU) * 4;
    if (offset < wire::ipv4_size || (wire::load16(quote + wire::ipv4_fragment) & wire::ipv4_offset_mask) != 0)
      return std::nullopt;
    protocol = quote[wire::ipv4_protocol];
    esp.source = quote + wire::ipv4_source;
    esp.destination = quote + wire::ipv4_destination;
  } else {
    // We send no extension headers before ESP in tunnel mode; a quote with them is not believed.
    if (length < wire::ipv6_size || quote[0] >> 4U != 6) return std::nullopt;
    offset = wire::ipv6_size;
    protocol = quote[wire::ipv6_next_header];
    esp.source = quote + wire::ipv6_source;
    esp.destination = quote + wire::ipv6_destination;
  }
  if (protocol == wire::protocol_udp) {
    if (length < offset + wire::udp_size) return std::nullopt;
    esp.udp = true;
    esp.udp_source_port = wire::load16(quote + offset + wire::udp_source_port);
    esp.udp_destination_port = wire::load16(quote + offset + wire::udp_destination_port);
    offset += wire::udp_size;
  } else if (protocol != wire::protocol_esp) {
    return std::nullopt;
  }
  if (length < offset + 4) return std::nullopt;
  esp.spi = wire::load32(quote + offset);
  return esp;
}

}  // namespace

bool may_answer_with_error(const wire::IpPacket& offending) noexcept {
  if (offending.non_initial_fragment) return false;
  if (!is_routable(offending.family, offending.source()) || !is_routable(offending.family, offending.destination()))
    return false;
  const std::uint8_t icmp = offending.family == Family::ipv4 ? protocol_icmp : protocol_icmpv6;
  if (offending.protocol != icmp) return true;
  return offending.l4_length() != 0 && !is_icmp_error(offending);
}

// 1. Room for the quote: the smallest size that each host must take whole.
// 2. IP header, ICMP header, quote.
// 3. Checksum: ICMPv6 over the pseudo-header too (RFC 4443 2.3).
std::uint32_t write_icmp_error(std::uint8_t* out, IcmpError error, std::uint32_t mtu, const IpAddress& source,
                               const wire::IpPacket& offending) noexcept {
  const bool v4 = source.family == Family::ipv4;
  const std::uint32_t header = v4 ? wire::ipv4_size : wire::ipv6_size;
  const std::uint32_t largest = v4 ? icmp_error_largest_ipv4 : icmp_error_largest_ipv6;
  const std::uint32_t quote = std::min(offending.total_length, largest - header - icmp_header_size);
  const std::uint32_t payload = icmp_header_size + quote;
  write_ip_header(out, source, offending, payload);

  std::uint8_t* icmp = out + header;
  std::memset(icmp, 0, icmp_header_size);
  if (error == IcmpError::too_big) {
    icmp[0] = v4 ? icmp_unreachable : icmpv6_too_big;
    icmp[1] = v4 ? icmp_fragmentation_needed : 0;
    if (v4)
      wire::store16(icmp + 6, static_cast<std::uint16_t>(std::min<std::uint32_t>(mtu, 0xffff)));
    else
      wire::store32(icmp + 4, mtu);
  } else {
    icmp[0] = v4 ? icmp_time_exceeded : icmpv6_time_exceeded;
  }
  std::memcpy(icmp + icmp_header_size, offending.data, quote);
  const std::uint16_t sum =
      v4 ? wire::checksum(icmp, payload)
         : wire::checksum_with_pseudo_header(out + wire::ipv6_source, out + wire::ipv6_destination, 16, protocol_icmpv6,
                                             icmp, payload);
  wire::store16(icmp + 2, sum);
  return header + payload;
}

std::optional<QuotedEsp> read_too_big(const wire::IpPacket& ip) noexcept {
  const bool v4 = ip.family == Family::ipv4;
  if (ip.protocol != (v4 ? protocol_icmp : protocol_icmpv6) || ip.fragment || ip.l4_length() < icmp_header_size)
    return std::nullopt;
  const std::uint8_t* icmp = ip.data + ip.l4_offset;
  if (icmp[0] != (v4 ? icmp_unreachable : icmpv6_too_big)) return std::nullopt;
  if (icmp[1] != (v4 ? icmp_fragmentation_needed : 0)) return std::nullopt;
  const std::uint16_t sum =
      v4 ? wire::checksum(icmp, ip.l4_length())
         : wire::checksum_with_pseudo_header(ip.source(), ip.destination(), 16, protocol_icmpv6, icmp, ip.l4_length());
  if (sum != 0) return std::nullopt;
  auto esp = read_quote(ip.family, icmp + icmp_header_size, ip.l4_length() - icmp_header_size);
  if (esp) esp->mtu = v4 ? wire::load16(icmp + 6) : wire::load32(icmp + 4);
  return esp;
}

}  // namespace linecrypt::gateway
