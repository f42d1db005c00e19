// ESP made and opened by OpenSSL alone: the second opinion on every packet of the drivers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/support/ip_packets.hpp"

namespace linecrypt::test {

// One SA, as both sides know it.
struct Esp {
  bool tunnel = true;
  Family outer = Family::ipv4;
  bool esn = false;
  bool gmac = false;
  std::uint32_t spi = 0x1234'5678;
  Bytes key = noise(16, 77);
  Bytes salt = from_hex("cafebabe");
  std::uint32_t window = 1024;
  bool udp = false;
  std::string source = "192.0.2.1";
  std::string destination = "192.0.2.2";
  std::string source6 = "2001:db8:f::1";
  std::string destination6 = "2001:db8:f::2";
};

// Keys that no other test has used: numbers belong to a key for as long as the process lives.
Bytes fresh_key(std::size_t size = 16);

// ---- the second opinion ----

// AES-GCM by OpenSSL, `text` in place. False: the tag is wrong.
bool gcm(bool encrypt, const Bytes& key, const Bytes& nonce, const Bytes& data, Bytes& text, Bytes& tag);

// `inner` protected as packet `number`, by RFC 4303, 4106, 4543. `next_header`: 0: what the inner packet is.
Bytes seal(const Esp& esp, const Bytes& inner, std::uint64_t number, std::uint8_t next_header = 0);

struct Opened {
  std::uint64_t iv = 0;
  std::uint32_t sequence = 0;
  std::uint32_t spi = 0;
  Bytes inner;         // tunnel: the packet; transport: header and payload again as one packet
  Bytes outer_header;  // IP, and UDP
};
// None: it is no ESP packet of this SA as number `high` << 32 | what it says.
std::optional<Opened> open(const Esp& esp, const Bytes& packet, std::uint32_t high = 0);

// ---- memory ----

// 16 bytes in a row of `clear` are somewhere in `memory`.
bool shows(const Bytes& memory, const Bytes& clear);

}  // namespace linecrypt::test
