#include "tests/support/ip_packets.hpp"

#include <algorithm>
#include <stdexcept>

namespace linecrypt::test {

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes noise(std::size_t length, std::uint32_t seed) {
  Bytes out(length);
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (auto& byte : out) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24U);
  }
  return out;
}

IpAddress address(const std::string& text) {
  auto parsed = IpAddress::parse(text);
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

std::uint16_t slow_checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8U : bytes[i];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

void fix_ipv4_checksum(Bytes& packet, std::size_t at) {
  put16(packet, at + 10, 0);
  const std::size_t end = std::min(at + (packet.at(at) & 15U) * 4, packet.size());
  put16(packet, at + 10,
        slow_checksum(Bytes(packet.begin() + static_cast<std::ptrdiff_t>(at),
                            packet.begin() + static_cast<std::ptrdiff_t>(std::max(at, end)))));
}

namespace {

Bytes address_bytes(const std::string& text) {
  const IpAddress parsed = address(text);
  return {parsed.bytes.begin(), parsed.bytes.begin() + parsed.size()};
}

bool is_ipv4(const Ip& ip) {
  return address(ip.source).family == Family::ipv4;
}

}  // namespace

std::uint16_t slow_l4_checksum(const Ip& ip, std::uint8_t protocol, const Bytes& segment) {
  Bytes pseudo = address_bytes(ip.source) + address_bytes(ip.destination);
  const std::size_t at = pseudo.size();
  if (is_ipv4(ip)) {  // RFC 793 3.1
    pseudo.resize(at + 4);
    pseudo[at + 1] = protocol;
    put16(pseudo, at + 2, static_cast<std::uint16_t>(segment.size()));
  } else {  // RFC 8200 8.1
    pseudo.resize(at + 8);
    put32(pseudo, at, static_cast<std::uint32_t>(segment.size()));
    pseudo[at + 7] = protocol;
  }
  return slow_checksum(pseudo + segment);
}

Bytes packet(const Ip& ip, const Bytes& payload) {
  Bytes out;
  if (is_ipv4(ip)) {
    out.resize(20);
    out[0] = static_cast<std::uint8_t>(0x45U + ip.options.size() / 4);
    out[1] = ip.traffic_class;
    put16(out, 2, static_cast<std::uint16_t>(20 + ip.options.size() + payload.size()));
    put16(out, 4, ip.identification);
    put16(out, 6, ip.fragment);
    out[8] = ip.ttl;
    out[9] = ip.protocol;
    const Bytes addresses = address_bytes(ip.source) + address_bytes(ip.destination);
    std::copy(addresses.begin(), addresses.end(), out.begin() + 12);
    out = out + ip.options;
    fix_ipv4_checksum(out);
  } else {
    out.resize(8);
    put32(out, 0, 0x60000000U | static_cast<std::uint32_t>(ip.traffic_class) << 20U | ip.flow_label);
    put16(out, 4, static_cast<std::uint16_t>(ip.options.size() + payload.size()));
    out[6] = ip.options.empty() ? ip.protocol : ip.first_extension;
    out[7] = ip.ttl;
    out = out + address_bytes(ip.source) + address_bytes(ip.destination) + ip.options;
  }
  return out + payload;
}

Bytes ethernet(std::uint16_t type, const Bytes& payload, bool vlan) {
  Bytes out = from_hex("02000000000202000000000a");
  if (vlan) out = out + from_hex("81000064");
  out.resize(out.size() + 2);
  put16(out, out.size() - 2, type);
  return out + payload;
}

Bytes udp_segment(const Ip& ip, std::uint16_t source, std::uint16_t destination, const Bytes& data) {
  Bytes out(8);
  put16(out, 0, source);
  put16(out, 2, destination);
  put16(out, 4, static_cast<std::uint16_t>(8 + data.size()));
  out = out + data;
  const std::uint16_t sum = slow_l4_checksum(ip, udp, out);
  put16(out, 6, sum == 0 ? 0xffff : sum);
  return out;
}

Bytes tcp_segment(const Ip& ip, std::uint16_t source, std::uint16_t destination, const Bytes& data) {
  Bytes out(20);
  put16(out, 0, source);
  put16(out, 2, destination);
  put32(out, 4, 0x11223344);
  out[12] = 0x50;
  out[13] = 0x18;
  put16(out, 14, 0x1000);
  out = out + data;
  put16(out, 16, slow_l4_checksum(ip, tcp, out));
  return out;
}

Bytes sized_packet(Family family, std::uint32_t length) {
  Ip ip;
  if (family == Family::ipv6) {
    ip.source = "2001:db8:1::7";
    ip.destination = "2001:db8:2::9";
  }
  const std::uint32_t payload = length - (family == Family::ipv4 ? 20 : 40);
  if (payload >= 8) return packet(ip, udp_segment(ip, 4000, 5000, noise(payload - 8, length)));
  ip.protocol = 253;
  return packet(ip, noise(payload, length));
}

}  // namespace linecrypt::test
