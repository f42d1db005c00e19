// ICMP and ICMPv6 as far as a gateway speaks them: the errors it sends to the clear side, and the too-big that it reads
// from the black side. Pure functions over bytes.
#pragma once

#include <cstdint>
#include <optional>

#include "linecrypt/address.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::gateway {

enum class IcmpError : std::uint8_t {
  too_big,        // RFC 1191 4: type 3 code 4 with the MTU; RFC 4443 3.2: type 2
  time_exceeded,  // RFC 792: type 11 code 0; RFC 4443 3.3: type 3 code 0
};

// The error packet is never longer than these (RFC 1812 4.3.2.3, RFC 4443 2.4 c).
inline constexpr std::uint32_t icmp_error_largest_ipv4 = 576;
inline constexpr std::uint32_t icmp_error_largest_ipv6 = 1280;

// True when an error may be sent about this packet at all (RFC 1812 4.3.2.7, RFC 4443 2.4 e): not about an ICMP error
// or redirect, a later fragment, or anything to or from more than one host.
[[nodiscard]] bool may_answer_with_error(const wire::IpPacket& offending) noexcept;

// Writes the whole IP packet at `out` and returns its length: from `source` to the offending packet's source, quoting
// as much of it as fits. `out` holds icmp_error_largest_ipv6 bytes. `mtu` is for too_big.
std::uint32_t write_icmp_error(std::uint8_t* out, IcmpError error, std::uint32_t mtu, const IpAddress& source,
                               const wire::IpPacket& offending) noexcept;

// A too-big message that quotes an ESP packet of ours.
struct QuotedEsp {
  Family family = Family::ipv4;
  const std::uint8_t* source = nullptr;  // of the quoted outer header
  const std::uint8_t* destination = nullptr;
  bool udp = false;
  std::uint16_t udp_source_port = 0;
  std::uint16_t udp_destination_port = 0;
  std::uint32_t spi = 0;
  std::uint32_t mtu = 0;
};

// None unless the packet is a whole too-big with a right checksum whose quote reaches to an SPI.
[[nodiscard]] std::optional<QuotedEsp> read_too_big(const wire::IpPacket& ip) noexcept;

}  // namespace linecrypt::gateway
