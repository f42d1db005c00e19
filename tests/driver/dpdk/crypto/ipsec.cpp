#include "tests/driver/dpdk/crypto/ipsec.hpp"

#include <openssl/evp.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <stdexcept>

namespace linecrypt::test {
namespace {

constexpr std::uint8_t protocol_esp = 50;
constexpr std::size_t udp_size = 8;

rte_mempool* session_pool(const Device& device) {
  // One for all devices: each wants the same.
  static rte_mempool* const pool =
      rte_mempool_create("security sessions", 4096, rte_security_session_get_size(device.security()) + 128, 32, 0,
                         nullptr, nullptr, nullptr, nullptr, 0, 0);
  if (pool == nullptr) throw std::runtime_error("no memory for sessions");
  return pool;
}

Outcome outcome_of(const Op& op, const Mbuf& source, const Mbuf& destination) {
  Outcome one;
  one.status = op->status;
  one.flags = op->aux_flags;
  one.mbuf_flags = destination.get()->ol_flags;
  one.bytes = destination.bytes();
  one.source = source.bytes();
  one.memory = source.memory() + destination.memory();
  return one;
}

}  // namespace

EspSession::EspSession(const Device& device, const Esp& esp, Way way, const Change& change)
    : device_(device), esp_(esp) {
  const bool out = way == Way::out;
  xform_[0] = esp.gmac ? gmac_xform(out, esp_.key) : gcm_xform(out, esp_.key, esp.esn ? 12 : 8);
  (esp.gmac ? xform_[0].auth.iv.length : xform_[0].aead.iv.length) = 12;
  conf_.action_type = RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL;
  conf_.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  conf_.crypto_xform = &xform_[0];
  auto& ipsec = conf_.ipsec;
  ipsec.spi = esp.spi;
  std::memcpy(&ipsec.salt, esp.salt.data(), 4);
  ipsec.options.esn = esp.esn;
  ipsec.options.udp_encap = esp.udp;
  ipsec.options.stats = 1;
  ipsec.options.tunnel_hdr_verify = !out && esp.tunnel ? RTE_SECURITY_IPSEC_TUNNEL_VERIFY_SRC_DST_ADDR : 0U;
  ipsec.direction = out ? RTE_SECURITY_IPSEC_SA_DIR_EGRESS : RTE_SECURITY_IPSEC_SA_DIR_INGRESS;
  ipsec.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP;
  ipsec.mode = esp.tunnel ? RTE_SECURITY_IPSEC_SA_MODE_TUNNEL : RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT;
  ipsec.replay_win_sz = out ? 0 : esp.window;
  if (esp.outer == Family::ipv4) {
    ipsec.tunnel.type = RTE_SECURITY_IPSEC_TUNNEL_IPV4;
    std::memcpy(&ipsec.tunnel.ipv4.src_ip, address(esp.source).bytes.data(), 4);
    std::memcpy(&ipsec.tunnel.ipv4.dst_ip, address(esp.destination).bytes.data(), 4);
  } else {
    ipsec.tunnel.type = RTE_SECURITY_IPSEC_TUNNEL_IPV6;
    std::memcpy(&ipsec.tunnel.ipv6.src_addr, address(esp.source6).bytes.data(), 16);
    std::memcpy(&ipsec.tunnel.ipv6.dst_addr, address(esp.destination6).bytes.data(), 16);
  }
  if (change) change(conf_);
  session_ = rte_security_session_create(device.security(), &conf_, session_pool(device));
}

EspSession::~EspSession() {
  destroy();
}

int EspSession::destroy() {
  if (session_ == nullptr) return 0;
  return rte_security_session_destroy(device_.security(), std::exchange(session_, nullptr));
}

int EspSession::go_to(std::uint64_t number) {
  conf_.ipsec.esn.value = number;
  return rte_security_session_update(device_.security(), session_, &conf_);
}

rte_security_ipsec_stats EspSession::stats() const {
  rte_security_stats stats{};
  REQUIRE(rte_security_session_stats_get(device_.security(), session_, &stats) == 0);
  REQUIRE(stats.protocol == RTE_SECURITY_PROTOCOL_IPSEC);
  return stats.ipsec;
}

Outcome EspSession::run(const Bytes& packet, const Layout& layout) const {
  const Mbuf source(packet, layout.source, layout.headroom);
  std::optional<Mbuf> apart;
  if (layout.apart) apart.emplace(Bytes(), layout.destination, layout.headroom);
  const Op op;
  op->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
  op->sym->session = session_;
  op->sym->m_src = source.get();
  op->sym->m_dst = apart ? apart->get() : nullptr;
  device_.run(op);
  return outcome_of(op, source, apart ? *apart : source);
}

std::vector<Outcome> EspSession::run_all(const std::vector<Bytes>& packets, std::uint16_t queue_pair) const {
  std::vector<Mbuf> mbufs;
  std::vector<Op> ops;
  for (const Bytes& packet : packets) {
    mbufs.emplace_back(packet, Segments{});
    ops.emplace_back();
    ops.back()->sess_type = RTE_CRYPTO_OP_SECURITY_SESSION;
    ops.back()->sym->session = session_;
    ops.back()->sym->m_src = mbufs.back().get();
  }
  device_.run(ops, queue_pair);
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < packets.size(); ++i) outcomes.push_back(outcome_of(ops[i], mbufs[i], mbufs[i]));
  return outcomes;
}

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
