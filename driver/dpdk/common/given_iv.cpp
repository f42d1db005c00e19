#include "driver/dpdk/common/given_iv.hpp"

#include <cstring>
#include <new>

#include "linecrypt/secret.hpp"
#include "linecrypt/wire/checksum.hpp"
#include "linecrypt/wire/esp.hpp"
#include "linecrypt/wire/ip_packet.hpp"

namespace linecrypt::dpdk {

struct GivenIv::Key {
  void* context = nullptr;
  std::uint8_t salt[4] = {};
  bool esn = false;
  bool gmac = false;
};

namespace {

// Nonce and associated data under `iv` (RFC 4106 4 and 5, RFC 4543 3.3).
software::AeadOp op_of(const GivenIv::Key& key, const std::uint8_t* iv, std::uint8_t* aad, std::uint8_t* esp,
                       std::uint32_t text_length) {
  software::AeadOp op;
  op.key = key.context;
  std::memcpy(op.iv, key.salt, sizeof key.salt);
  std::memcpy(op.iv + sizeof key.salt, iv, wire::esp_iv_size);
  std::uint8_t* const text = esp + wire::esp_header_size + wire::esp_iv_size;
  op.aad_head = aad;
  op.aad_head_length = key.esn ? 12 : 8;
  op.in = op.out = text;
  op.length = text_length;
  op.tag = text + text_length;
  if (key.gmac) {
    op.aad_tail = esp + wire::esp_header_size;
    op.aad_tail_length = wire::esp_iv_size + text_length;
    op.length = 0;
  }
  return op;
}

}  // namespace

GivenIv::GivenIv(std::unique_ptr<software::AeadProvider> provider)
    : provider_(std::move(provider)),
      keys_(sizeof(Key), alignof(Key)),
      contexts_(provider_->context_size(), provider_->context_alignment()) {}

GivenIv::~GivenIv() = default;

Result<GivenIv::Key*> GivenIv::add(const EspSa& sa) {
  auto memory = keys_.allocate();
  if (!memory) return memory.error();
  auto context = contexts_.allocate();
  if (!context) {
    keys_.release(*memory);
    return context.error();
  }
  if (auto good = provider_->expand(sa.key.bytes(), *context); !good) {
    contexts_.release(*context);
    keys_.release(*memory);
    return good.error();
  }
  Key* const key = new (*memory) Key;
  key->context = *context;
  std::memcpy(key->salt, sa.salt.bytes().data(), sizeof key->salt);
  key->esn = sa.esn;
  key->gmac = is_gmac(sa.algorithm);
  return key;
}

void GivenIv::remove(Key* key) noexcept {
  if (key == nullptr) return;
  provider_->destroy(key->context);
  contexts_.release(key->context);
  keys_.release(key);
}

// 1. Where ESP is. 2. Open under the IV that the engine took, which stands in the packet. 3. Seal under the one given.
// 4. UDP over IPv6 has a checksum over all of it.
bool GivenIv::reseal(const Key& key, std::uint8_t* packet, std::uint32_t length, std::uint64_t number,
                     const std::uint8_t* iv) noexcept {
  // 1.
  const wire::IpPacket ip = wire::parse_ip(packet, length);
  if (!ip.valid) return false;
  const bool udp = ip.protocol == wire::protocol_udp;
  std::uint8_t* const esp = packet + ip.l4_offset + (udp ? wire::udp_size : 0U);
  const auto text_length = static_cast<std::uint32_t>(packet + ip.total_length - esp) - wire::esp_header_size -
                           wire::esp_iv_size - esp_icv_size;
  std::uint8_t aad[12];
  std::memcpy(aad, esp, 4);
  if (key.esn)
    wire::store64(aad + 4, number);
  else
    std::memcpy(aad + 4, esp + 4, 4);
  // 2.
  software::AeadOp op = op_of(key, esp + wire::esp_header_size, aad, esp, text_length);
  provider_->open({&op, 1});
  if (!op.good) return false;
  // 3.
  std::memcpy(esp + wire::esp_header_size, iv, wire::esp_iv_size);
  op = op_of(key, iv, aad, esp, text_length);
  provider_->seal({&op, 1});
  cleanse(op.iv, sizeof op.iv);
  // 4.
  if (udp && ip.family == Family::ipv6) {
    std::uint8_t* const header = esp - wire::udp_size;
    wire::store16(header + wire::udp_checksum, 0);
    const std::uint16_t sum = wire::checksum_with_pseudo_header(ip.source(), ip.destination(), 16, wire::protocol_udp,
                                                                header, ip.l4_length());
    wire::store16(header + wire::udp_checksum, sum == 0 ? 0xffff : sum);
  }
  return op.good;
}

}  // namespace linecrypt::dpdk
