#include "driver/dpdk/common/ipsec_capability.hpp"

#include "host/software/aead/provider.hpp"
#include "linecrypt/esp_sa.hpp"

namespace linecrypt::dpdk {
namespace {

// Of the three key sizes, those that are there. (16 and 32 without 24 are a step of 16.)
rte_crypto_param_range key_sizes(const Capabilities& engine) {
  const std::uint16_t least = engine.aes_128 ? 16 : 24;
  const std::uint16_t most = engine.aes_256 ? 32 : engine.aes_192 ? 24 : 16;
  return {least, most, static_cast<std::uint16_t>(engine.aes_192 ? 8 : 16)};
}

rte_crypto_param_range only(std::uint16_t size) {
  return {size, size, 0};
}

}  // namespace

rte_cryptodev_capabilities gcm_capability(rte_crypto_param_range keys, rte_crypto_param_range aad, std::uint16_t iv) {
  rte_cryptodev_capabilities one{};
  one.op = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
  one.sym.xform_type = RTE_CRYPTO_SYM_XFORM_AEAD;
  one.sym.aead.algo = RTE_CRYPTO_AEAD_AES_GCM;
  one.sym.aead.block_size = 16;
  one.sym.aead.key_size = keys;
  one.sym.aead.digest_size = only(esp_icv_size);
  one.sym.aead.aad_size = aad;
  one.sym.aead.iv_size = only(iv);
  return one;
}

rte_cryptodev_capabilities gmac_capability(rte_crypto_param_range keys, std::uint16_t iv) {
  rte_cryptodev_capabilities one{};
  one.op = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
  one.sym.xform_type = RTE_CRYPTO_SYM_XFORM_AUTH;
  one.sym.auth.algo = RTE_CRYPTO_AUTH_AES_GMAC;
  one.sym.auth.block_size = 16;
  one.sym.auth.key_size = keys;
  one.sym.auth.digest_size = only(esp_icv_size);
  one.sym.auth.iv_size = only(iv);
  return one;
}

void fill_ipsec_crypto(const Capabilities& engine, std::array<rte_cryptodev_capabilities, 4>& out) {
  const rte_crypto_param_range keys = key_sizes(engine);
  std::size_t count = 0;
  // The associated data is ESP's own; whatever length an application declares is not looked at.
  out[count++] = gcm_capability(keys, {0, 65535, 1}, software::aead_iv_size);
  if (!engine.gmac) return;
  out[count++] = gmac_capability(keys, software::aead_iv_size);
  rte_cryptodev_capabilities null{};
  null.op = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
  null.sym.xform_type = RTE_CRYPTO_SYM_XFORM_CIPHER;
  null.sym.cipher.algo = RTE_CRYPTO_CIPHER_NULL;
  null.sym.cipher.block_size = 1;
  out[count++] = null;
}

rte_security_capability ipsec_capability(const Capabilities& engine, const DriverOptions& options,
                                         rte_security_session_action_type action, rte_security_ipsec_sa_mode mode,
                                         rte_security_ipsec_sa_direction direction,
                                         const rte_cryptodev_capabilities* crypto) {
  const bool tunnel = mode == RTE_SECURITY_IPSEC_SA_MODE_TUNNEL;
  const bool egress = direction == RTE_SECURITY_IPSEC_SA_DIR_EGRESS;
  rte_security_capability one{};
  one.action = action;
  one.protocol = RTE_SECURITY_PROTOCOL_IPSEC;
  one.ipsec.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP;
  one.ipsec.mode = mode;
  one.ipsec.direction = direction;
  auto& can = one.ipsec.options;
  can.esn = engine.esp_esn;
  can.udp_encap = engine.esp_udp && (tunnel || engine.esp_udp_transport);
  can.udp_ports_verify = can.udp_encap;
  can.copy_dscp = can.copy_flabel = can.copy_df = can.ecn = tunnel;
  // In front of encapsulation only: an engine does not touch the TTL of what it opened. Test suites want to say it
  // there.
  can.dec_ttl = tunnel && (egress || options.test_dec_ttl);
  can.stats = 1;
  can.iv_gen_disable = options.test_iv;
  can.tunnel_hdr_verify = tunnel ? RTE_SECURITY_IPSEC_TUNNEL_VERIFY_SRC_DST_ADDR : 0U;
  can.ip_csum_enable = tunnel;
  can.l4_csum_enable = 1;
  one.ipsec.replay_win_sz_max = engine.replay_window_max;
  one.crypto_capabilities = crypto;
  return one;
}

}  // namespace linecrypt::dpdk
