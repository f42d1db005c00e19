#include "tests/host/software/esp/reference.hpp"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

namespace linecrypt::test {
namespace {

struct FreeCtx {
  void operator()(EVP_CIPHER_CTX* ctx) const { EVP_CIPHER_CTX_free(ctx); }
};

void must(int good) {
  if (good != 1) throw std::runtime_error("OpenSSL refused");
}

Bytes big_endian(std::uint64_t value, std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[size - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

const EVP_CIPHER* cipher(std::size_t key_bytes) {
  return key_bytes == 16 ? EVP_aes_128_gcm() : key_bytes == 24 ? EVP_aes_192_gcm() : EVP_aes_256_gcm();
}

// Text in, text out and the tag; with `tag` given it is checked and an empty optional says that it is wrong.
std::optional<Bytes> gcm(bool seal, const EspSa& sa, const Bytes& nonce, const Bytes& aad, const Bytes& text,
                         Bytes& tag) {
  const std::unique_ptr<EVP_CIPHER_CTX, FreeCtx> ctx(EVP_CIPHER_CTX_new());
  must(EVP_CipherInit_ex(ctx.get(), cipher(sa.key.size()), nullptr, sa.key.bytes().data(), nonce.data(), seal ? 1 : 0));
  int n = 0;
  must(EVP_CipherUpdate(ctx.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())));
  Bytes out(text.size());
  if (!text.empty()) must(EVP_CipherUpdate(ctx.get(), out.data(), &n, text.data(), static_cast<int>(text.size())));
  if (!seal) must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data()));
  std::uint8_t rest[16];
  if (EVP_CipherFinal_ex(ctx.get(), rest, &n) != 1) return std::nullopt;
  if (seal) {
    tag.resize(16);
    must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data()));
  }
  return out;
}

Bytes nonce_of(const EspSa& sa, const Bytes& iv) {
  const auto salt = sa.salt.bytes();
  return Bytes(salt.begin(), salt.end()) + iv;
}

Bytes aad_of(const EspSa& sa, std::uint64_t number) {
  return big_endian(sa.spi, 4) + (sa.esn ? big_endian(number, 8) : big_endian(number & 0xffffffffU, 4));
}

}  // namespace

Bytes reference_seal(const EspSa& sa, std::uint64_t number, const Bytes& text, std::optional<Bytes> iv) {
  const Bytes the_iv = iv ? *iv : big_endian(number, 8);
  const Bytes front = big_endian(sa.spi, 4) + big_endian(number & 0xffffffffU, 4) + the_iv;
  Bytes tag;
  if (is_gmac(sa.algorithm)) {
    (void)gcm(true, sa, nonce_of(sa, the_iv), aad_of(sa, number) + the_iv + text, {}, tag);
    return front + text + tag;
  }
  const auto sealed = gcm(true, sa, nonce_of(sa, the_iv), aad_of(sa, number), text, tag);
  return front + *sealed + tag;
}

std::optional<Bytes> reference_open(const EspSa& sa, std::uint64_t number, const Bytes& esp) {
  if (esp.size() < 32) return std::nullopt;
  if (Bytes(esp.begin(), esp.begin() + 4) != big_endian(sa.spi, 4)) return std::nullopt;
  if (Bytes(esp.begin() + 4, esp.begin() + 8) != big_endian(number & 0xffffffffU, 4)) return std::nullopt;
  const Bytes iv(esp.begin() + 8, esp.begin() + 16);
  const Bytes text(esp.begin() + 16, esp.end() - 16);
  Bytes tag(esp.end() - 16, esp.end());
  if (is_gmac(sa.algorithm)) {
    if (!gcm(false, sa, nonce_of(sa, iv), aad_of(sa, number) + iv + text, {}, tag)) return std::nullopt;
    return text;
  }
  return gcm(false, sa, nonce_of(sa, iv), aad_of(sa, number), text, tag);
}

Bytes with_trailer(const Bytes& clear, std::uint8_t next_header) {
  Bytes out = clear;
  std::uint8_t pad = 0;
  while ((out.size() + 2) % 4 != 0) out.push_back(++pad);
  out.push_back(pad);
  out.push_back(next_header);
  return out;
}

Bytes in_outer(const EspSa& sa, const Bytes& esp, std::uint8_t traffic_class) {
  Ip ip;
  ip.source = sa.source.text();
  ip.destination = sa.destination.text();
  ip.traffic_class = traffic_class;
  ip.protocol = sa.udp ? udp : 50;
  if (!sa.udp) return packet(ip, esp);
  Bytes datagram(8);
  put16(datagram, 0, sa.udp->source_port);
  put16(datagram, 2, sa.udp->destination_port);
  put16(datagram, 4, static_cast<std::uint16_t>(8 + esp.size()));
  datagram = datagram + esp;
  if (sa.source.family == Family::ipv6) {
    const std::uint16_t sum = slow_l4_checksum(ip, udp, datagram);
    put16(datagram, 6, sum == 0 ? 0xffff : sum);
  }
  return packet(ip, datagram);
}

}  // namespace linecrypt::test
