// Which packets from the black side are for ESP (RFC 4303, RFC 3948): protocol 50, or UDP to an encapsulation port
// without the non-ESP marker. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "linecrypt/verdict.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::gateway {

struct EspInput {
  bool esp = false;  // look `spi` up
  std::uint32_t spi = 0;
  Verdict verdict = Verdict::pending;  // anything else: the frame ends here with it
};

// Precondition: the destination is the gateway's own. `udp_ports`: 4500 and what tunnels are configured to use.
//
// 1. ESP must be whole: fragments are not put together here (RFC 4303 3.4.1).
// 2. In UDP: one byte 0xff is a NAT keepalive (RFC 3948 2.3), four zero bytes are the non-ESP marker (2.2), anything
//    else is ESP (2.1).
[[nodiscard]] inline EspInput esp_input(const wire::IpPacket& ip, std::span<const std::uint16_t> udp_ports) noexcept {
  const auto ends = [](Verdict verdict) { return EspInput{false, 0, verdict}; };
  const std::uint8_t* l4 = ip.data + ip.l4_offset;

  if (ip.protocol == wire::protocol_esp) {
    if (ip.fragment) return ends(Verdict::esp_fragment);
    if (ip.l4_length() < wire::esp_header_size) return ends(Verdict::esp_short);
    return {true, wire::load32(l4), Verdict::pending};
  }

  if (ip.protocol != wire::protocol_udp || ip.non_initial_fragment || ip.l4_length() < 4) return {};
  const std::uint16_t port = wire::load16(l4 + wire::udp_destination_port);
  if (std::find(udp_ports.begin(), udp_ports.end(), port) == udp_ports.end()) return {};
  if (ip.fragment) return ends(Verdict::esp_fragment);
  if (ip.l4_length() < wire::udp_size || wire::load16(l4 + wire::udp_length) != ip.l4_length())
    return ends(Verdict::esp_bad_udp);
  const std::uint8_t* payload = l4 + wire::udp_size;
  const std::uint32_t length = ip.l4_length() - wire::udp_size;
  if (length == 1 && payload[0] == wire::nat_keepalive) return ends(Verdict::keepalive);
  if (length < wire::non_esp_marker_size) return ends(Verdict::esp_bad_udp);
  if (wire::load32(payload) == 0) return {};
  if (length < wire::esp_header_size) return ends(Verdict::esp_short);
  return {true, wire::load32(payload), Verdict::pending};
}

}  // namespace linecrypt::gateway
