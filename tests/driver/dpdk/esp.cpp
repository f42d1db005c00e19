#include "tests/driver/dpdk/esp.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace linecrypt::test {
namespace {

constexpr std::uint8_t protocol_esp = 50;
constexpr std::size_t udp_size = 8;

}  // namespace

Bytes fresh_key(std::size_t size) {
  static std::uint32_t count = 1000;
  return noise(size, ++count);
}

// ---- the second opinion ----

bool gcm(bool encrypt, const Bytes& key, const Bytes& nonce, const Bytes& data, Bytes& text, Bytes& tag) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  EVP_CIPHER_CTX* const it = context.get();
  const EVP_CIPHER* const cipher = key.size() == 16   ? EVP_aes_128_gcm()
                                   : key.size() == 24 ? EVP_aes_192_gcm()
                                                      : EVP_aes_256_gcm();
  int length = 0;
  bool good = EVP_CipherInit_ex(it, cipher, nullptr, key.data(), nonce.data(), encrypt) == 1;
  if (!data.empty())
    good = good && EVP_CipherUpdate(it, nullptr, &length, data.data(), static_cast<int>(data.size())) == 1;
  if (!text.empty())
    good = good && EVP_CipherUpdate(it, text.data(), &length, text.data(), static_cast<int>(text.size())) == 1;
  if (!encrypt) good = good && EVP_CIPHER_CTX_ctrl(it, EVP_CTRL_GCM_SET_TAG, 16, tag.data()) == 1;
  Bytes end(16);
  good = good && EVP_CipherFinal_ex(it, end.data(), &length) == 1;
  tag.resize(16);
  if (encrypt) good = good && EVP_CIPHER_CTX_ctrl(it, EVP_CTRL_GCM_GET_TAG, 16, tag.data()) == 1;
  return good;
}

namespace {

Bytes big_endian(std::uint64_t value, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = size; i-- > 0; value >>= 8U) bytes[i] = static_cast<std::uint8_t>(value);
  return bytes;
}

std::uint64_t value_of(const Bytes& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | bytes.at(at + i);
  return value;
}

// Of the SPI, the number (RFC 4106 5) and, for GMAC, IV and text (RFC 4543 3.3).
Bytes associated(const Esp& esp, std::uint64_t number, const Bytes& iv, const Bytes& text) {
  Bytes data = big_endian(esp.spi, 4) + big_endian(number, esp.esn ? 8 : 4);
  if (esp.gmac) data = data + iv + text;
  return data;
}

// Under the SA's nonce (RFC 4106 4); GMAC leaves the text.
bool esp_gcm(bool encrypt, const Esp& esp, std::uint64_t number, const Bytes& iv, Bytes& text, Bytes& tag) {
  Bytes nothing;
  return gcm(encrypt, esp.key, esp.salt + iv, associated(esp, number, iv, text), esp.gmac ? nothing : text, tag);
}

bool is_ipv4(const Bytes& packet) {
  return packet.at(0) >> 4U == 4;
}

Bytes from(const Bytes& bytes, std::size_t at) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end()};
}

Bytes first(const Bytes& bytes, std::size_t count) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

// The header of an IP packet without options, with another protocol and length.
Bytes header_for(const Bytes& header, std::uint8_t protocol, std::size_t payload) {
  Bytes out = header;
  if (is_ipv4(header)) {
    out[9] = protocol;
    put16(out, 2, static_cast<std::uint16_t>(out.size() + payload));
    fix_ipv4_checksum(out);
  } else {
    out[6] = protocol;
    put16(out, 4, static_cast<std::uint16_t>(payload));
  }
  return out;
}

}  // namespace

Bytes seal(const Esp& esp, const Bytes& inner, std::uint64_t number, std::uint8_t next_header) {
  const std::size_t header_size = is_ipv4(inner) ? 20 : 40;
  const bool v4 = is_ipv4(inner);
  if (next_header == 0) next_header = esp.tunnel ? (v4 ? std::uint8_t{4} : std::uint8_t{41}) : inner.at(v4 ? 9 : 6);
  Bytes text = esp.tunnel ? inner : from(inner, header_size);
  for (std::uint8_t pad = 0;; ++pad) {
    if ((text.size() + 2) % 4 == 0) {
      text.push_back(pad);
      break;
    }
    text.push_back(static_cast<std::uint8_t>(pad + 1));
  }
  text.push_back(next_header);
  const Bytes iv = big_endian(number, 8);
  Bytes tag;
  if (!esp_gcm(true, esp, number, iv, text, tag)) throw std::runtime_error("OpenSSL does not encrypt");
  Bytes payload = big_endian(esp.spi, 4) + big_endian(number & 0xffffffffU, 4) + iv + text + tag;
  if (esp.udp) {
    Bytes head(udp_size);
    put16(head, 0, 4500);
    put16(head, 2, 4500);
    put16(head, 4, static_cast<std::uint16_t>(udp_size + payload.size()));
    payload = head + payload;
  }
  const std::uint8_t protocol = esp.udp ? udp : protocol_esp;
  if (!esp.tunnel) return header_for(first(inner, header_size), protocol, payload.size()) + payload;
  const bool outer4 = esp.outer == Family::ipv4;
  return packet({.source = outer4 ? esp.source : esp.source6,
                 .destination = outer4 ? esp.destination : esp.destination6,
                 .protocol = protocol},
                payload);
}

std::optional<Opened> open(const Esp& esp, const Bytes& packet, std::uint32_t high) {
  Opened opened;
  const bool v4 = is_ipv4(packet);
  std::size_t at = v4 ? 20 : 40;
  const Bytes header = first(packet, at);
  const std::size_t total = v4 ? get16(packet, 2) : 40U + get16(packet, 4);
  if (total != packet.size() || packet.at(v4 ? 9 : 6) != (esp.udp ? udp : protocol_esp)) return std::nullopt;
  if (v4 && slow_checksum(header) != 0) return std::nullopt;
  if (esp.udp) {
    if (get16(packet, at + 4) != packet.size() - at) return std::nullopt;
    at += udp_size;
  }
  opened.outer_header = first(packet, at);
  if (packet.size() < at + 16 + 2 + 16) return std::nullopt;
  opened.spi = static_cast<std::uint32_t>(value_of(packet, at, 4));
  opened.sequence = static_cast<std::uint32_t>(value_of(packet, at + 4, 4));
  opened.iv = value_of(packet, at + 8, 8);
  if (opened.spi != esp.spi) return std::nullopt;
  const Bytes iv = first(from(packet, at + 8), 8);
  Bytes text = first(from(packet, at + 16), packet.size() - at - 32);
  Bytes tag = from(packet, packet.size() - 16);
  const std::uint64_t number = std::uint64_t{high} << 32U | opened.sequence;
  if (!esp_gcm(false, esp, number, iv, text, tag)) return std::nullopt;
  const std::uint8_t next_header = text.back();
  const std::uint8_t pad = text.at(text.size() - 2);
  if (pad + 2U > text.size()) return std::nullopt;
  const Bytes payload = first(text, text.size() - 2 - pad);
  for (std::uint8_t i = 0; i < pad; ++i)
    if (text.at(payload.size() + i) != i + 1) return std::nullopt;
  if (!esp.tunnel) {
    opened.inner = header_for(header, next_header, payload.size()) + payload;
    return opened;
  }
  if (next_header != (is_ipv4(payload) ? 4 : 41)) return std::nullopt;
  opened.inner = payload;
  return opened;
}

bool shows(const Bytes& memory, const Bytes& clear) {
  constexpr std::ptrdiff_t row = 16;
  for (std::ptrdiff_t at = 0; at + row <= static_cast<std::ptrdiff_t>(clear.size()); ++at)
    if (std::search(memory.begin(), memory.end(), clear.begin() + at, clear.begin() + at + row) != memory.end())
      return true;
  return false;
}

}  // namespace linecrypt::test
