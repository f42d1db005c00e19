// A second ESP, written from the RFCs for the tests alone and on OpenSSL: seals and opens one packet's text. It shares
// no code with the implementation, so it is the oracle for it and the forger of authentic but odd packets.
#pragma once

#include <optional>

#include "linecrypt/esp_sa.hpp"
#include "tests/support/ip_packets.hpp"

namespace linecrypt::test {

// SPI, sequence number, IV, text, ICV (RFC 4303 2, RFC 4106 3, RFC 4543 3). `iv` defaults to the number.
Bytes reference_seal(const EspSa& sa, std::uint64_t number, const Bytes& text, std::optional<Bytes> iv = {});
// The text, or nothing if the ICV is wrong. The high half of `number` is the caller's; the low one must be the
// packet's.
std::optional<Bytes> reference_open(const EspSa& sa, std::uint64_t number, const Bytes& esp);
// `clear` with the padding and trailer of RFC 4303 2.4.
Bytes with_trailer(const Bytes& clear, std::uint8_t next_header);
// `esp` inside the SA's outer headers: for tunnel mode's addresses and UDP ports.
Bytes in_outer(const EspSa& sa, const Bytes& esp, std::uint8_t traffic_class = 0);

}  // namespace linecrypt::test
