#include "tests/host/gateway/pipeline/packets.hpp"

#include <algorithm>
#include <stdexcept>

#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/endian.hpp"
#include "linecrypt/wire/ethernet.hpp"

namespace linecrypt::gateway::test {

namespace {

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

void append(Bytes& to, const Bytes& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

IpAddress address(std::string_view text) {
  return must(IpAddress::parse(text));
}
Prefix prefix(std::string_view text) {
  return must(Prefix::parse(text));
}
MacAddress mac(std::string_view text) {
  return must(MacAddress::parse(text));
}

Bytes payload(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = i < marker.size() ? static_cast<std::uint8_t>(marker[i]) : static_cast<std::uint8_t>(i);
  return bytes;
}

Bytes ip(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol, const Bytes& body,
         const IpOptions& options) {
  const bool fragment = options.more_fragments || options.fragment_offset != 0;
  Bytes packet;
  if (source.family == Family::ipv4) {
    packet.resize(20);
    packet[0] = 0x45;
    packet[1] = options.traffic_class;
    wire::store16(&packet[2], static_cast<std::uint16_t>(20 + body.size()));
    wire::store16(&packet[6],
                  static_cast<std::uint16_t>((options.dont_fragment && !fragment ? 0x4000 : 0) |
                                             (options.more_fragments ? 0x2000 : 0) | options.fragment_offset));
    packet[8] = options.ttl;
    packet[9] = protocol;
    std::copy_n(source.bytes.begin(), 4, packet.begin() + 12);
    std::copy_n(destination.bytes.begin(), 4, packet.begin() + 16);
    wire::store16(&packet[10], wire::checksum(packet.data(), 20));
  } else {
    packet.resize(fragment ? 48 : 40);
    packet[0] = 0x60;
    wire::store16(&packet[4], static_cast<std::uint16_t>(packet.size() - 40 + body.size()));
    packet[6] = fragment ? 44 : protocol;
    packet[7] = options.ttl;
    std::copy_n(source.bytes.begin(), 16, packet.begin() + 8);
    std::copy_n(destination.bytes.begin(), 16, packet.begin() + 24);
    if (fragment) {
      packet[40] = protocol;
      wire::store16(&packet[42],
                    static_cast<std::uint16_t>(options.fragment_offset << 3U | (options.more_fragments ? 1U : 0U)));
    }
  }
  append(packet, body);
  return packet;
}

Bytes udp(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
          std::uint16_t destination_port, const Bytes& body) {
  Bytes datagram(8);
  wire::store16(&datagram[0], source_port);
  wire::store16(&datagram[2], destination_port);
  wire::store16(&datagram[4], static_cast<std::uint16_t>(8 + body.size()));
  append(datagram, body);
  wire::store16(&datagram[6],
                wire::checksum_with_pseudo_header(source.bytes.data(), destination.bytes.data(), source.size(), 17,
                                                  datagram.data(), static_cast<std::uint32_t>(datagram.size())));
  return datagram;
}

Bytes udp_packet(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
                 std::uint16_t destination_port, const Bytes& body, const IpOptions& options) {
  return ip(source, destination, 17, udp(source, destination, source_port, destination_port, body), options);
}

Bytes icmp_packet(const IpAddress& source, const IpAddress& destination, std::uint8_t type, std::uint8_t code,
                  const Bytes& rest, const IpOptions& options) {
  Bytes message = {type, code, 0, 0};
  append(message, rest);
  const auto length = static_cast<std::uint32_t>(message.size());
  const bool v4 = source.family == Family::ipv4;
  wire::store16(&message[2], v4 ? wire::checksum(message.data(), length)
                                : wire::checksum_with_pseudo_header(source.bytes.data(), destination.bytes.data(), 16,
                                                                    58, message.data(), length));
  return ip(source, destination, v4 ? 1 : 58, message, options);
}

Bytes too_big_packet(const IpAddress& router, const IpAddress& to, std::uint32_t mtu, const Bytes& quote) {
  Bytes rest(4);
  wire::store32(rest.data(), mtu);  // RFC 1191: the low half of the word
  rest.insert(rest.end(), quote.begin(),
              quote.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(quote.size(), 500)));
  const bool v4 = router.family == Family::ipv4;
  return icmp_packet(router, to, v4 ? 3 : 2, v4 ? 4 : 0, rest);
}

Bytes neighbour_solicitation(const IpAddress& source, const IpAddress& destination, const IpAddress& target,
                             std::uint8_t hop_limit) {
  Bytes rest(4);
  rest.insert(rest.end(), target.bytes.begin(), target.bytes.end());
  return icmp_packet(source, destination, 135, 0, rest, {.ttl = hop_limit});
}

Bytes arp(std::uint16_t operation, const MacAddress& sender_mac, const IpAddress& sender, const MacAddress& target_mac,
          const IpAddress& target) {
  Bytes bytes = {0, 1, 8, 0, 6, 4, 0, 0};
  wire::store16(&bytes[6], operation);
  bytes.insert(bytes.end(), sender_mac.bytes.begin(), sender_mac.bytes.end());
  bytes.insert(bytes.end(), sender.bytes.begin(), sender.bytes.begin() + 4);
  bytes.insert(bytes.end(), target_mac.bytes.begin(), target_mac.bytes.end());
  bytes.insert(bytes.end(), target.bytes.begin(), target.bytes.begin() + 4);
  return bytes;
}

Bytes ethernet(const MacAddress& destination, const MacAddress& source, std::uint16_t ethertype, const Bytes& body,
               const std::vector<ClearVlanTag>& tags) {
  Bytes frame(destination.bytes.begin(), destination.bytes.end());
  frame.insert(frame.end(), source.bytes.begin(), source.bytes.end());
  const auto put16 = [&frame](std::uint16_t value) {
    frame.push_back(static_cast<std::uint8_t>(value >> 8U));
    frame.push_back(static_cast<std::uint8_t>(value));
  };
  for (const ClearVlanTag& tag : tags) {
    put16(tag.tpid);
    put16(tag.vid);
  }
  put16(ethertype);
  append(frame, body);
  return frame;
}

Bytes ethernet_ip(const MacAddress& destination, const MacAddress& source, const Bytes& packet,
                  const std::vector<ClearVlanTag>& tags) {
  return ethernet(destination, source, packet[0] >> 4U == 4 ? wire::ethertype_ipv4 : wire::ethertype_ipv6, packet,
                  tags);
}

bool contains(const Bytes& haystack, std::string_view needle) {
  return std::search(haystack.begin(), haystack.end(), needle.begin(), needle.end()) != haystack.end();
}

}  // namespace linecrypt::gateway::test
