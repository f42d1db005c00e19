#include "driver/dpdk/common/ipsec_conf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "linecrypt/wire/esp.hpp"

namespace linecrypt::dpdk {
namespace {

int refuse(std::string& why, int code, std::string text) {
  why = std::move(text);
  return -code;
}

IpAddress address_of(Family family, const void* bytes) {
  IpAddress address;
  address.family = family;
  std::memcpy(address.bytes.data(), bytes, address.size());
  return address;
}

bool unspecified(const IpAddress& address) {
  return address == IpAddress{address.family, {}};
}

// The outer header: addresses, hop limit, and the fields that are not copied from the inner one.
void read_tunnel(const rte_security_ipsec_xform& ipsec, IpsecConf& out) {
  EspSa& sa = out.sa;
  const auto& options = ipsec.options;
  constexpr std::uint8_t hop_limit_default = 64;
  if (ipsec.tunnel.type == RTE_SECURITY_IPSEC_TUNNEL_IPV4) {
    const auto& tunnel = ipsec.tunnel.ipv4;
    sa.source = address_of(Family::ipv4, &tunnel.src_ip);
    sa.destination = address_of(Family::ipv4, &tunnel.dst_ip);
    sa.df = options.copy_df != 0 ? DfPolicy::copy : tunnel.df != 0 ? DfPolicy::set : DfPolicy::clear;
    sa.dscp = tunnel.dscp;
    sa.hop_limit = tunnel.ttl != 0 ? tunnel.ttl : hop_limit_default;
  } else {
    const auto& tunnel = ipsec.tunnel.ipv6;
    sa.source = address_of(Family::ipv6, &tunnel.src_addr);
    sa.destination = address_of(Family::ipv6, &tunnel.dst_addr);
    sa.dscp = tunnel.dscp;
    sa.hop_limit = tunnel.hlimit != 0 ? tunnel.hlimit : hop_limit_default;
    sa.flow_label_copy = options.copy_flabel != 0;
    out.extras.set_flow_label = options.copy_flabel == 0;
    out.extras.flow_label = tunnel.flabel & 0xfffffU;
  }
  sa.dscp_copy_out = options.copy_dscp != 0;
  sa.dscp_copy_in = options.copy_dscp != 0;
  sa.ecn = options.ecn != 0;
  sa.decrement_ttl = options.dec_ttl != 0 && sa.direction == Direction::egress;
  // What is not looked at may be anything, and applications leave it out.
  if (sa.direction == Direction::ingress && !sa.verify_outer && !out.extras.verify_destination) {
    const IpAddress any = sa.source.family == Family::ipv4 ? IpAddress{Family::ipv4, {127, 0, 0, 1}}
                                                           : IpAddress{Family::ipv6, {0xfe, 0x80, 1}};
    if (unspecified(sa.source)) sa.source = any;
    if (unspecified(sa.destination)) sa.destination = any;
  }
}

// Options, each done or refused.
int read_options(const rte_security_ipsec_xform& ipsec, const IpsecFace& face, IpsecConf& out, std::string& why) {
  const auto& options = ipsec.options;
  EspSa& sa = out.sa;
  const bool ingress = sa.direction == Direction::ingress;
  const bool tunnel = sa.mode == EspMode::tunnel;
  if (options.reserved_opts != 0)
    return refuse(why, EINVAL, fmt::format("options.reserved_opts: {:#x}, allowed: 0", +options.reserved_opts));
  if (options.ip_reassembly_en != 0) return refuse(why, ENOTSUP, "options.ip_reassembly_en: 1, allowed: 0");
  if (options.dec_ttl != 0 && ((ingress && !face.options->test_dec_ttl) || !tunnel))
    return refuse(why, ENOTSUP, "options.dec_ttl: 1, allowed: 1 on egress in tunnel mode, else 0");
  if (options.iv_gen_disable != 0 && !ingress) {
    if (!face.options->test_iv)
      return refuse(
          why, ENOTSUP,
          "options.iv_gen_disable: 1, allowed: 0; an IV that the application repeats ends the secrecy of both "
          "packets. (Test suites: devarg test_iv=1)");
    out.extras.given_iv = true;
  }
  if (!tunnel && options.ip_csum_enable != 0)
    return refuse(why, ENOTSUP, "options.ip_csum_enable: 1 in transport mode, allowed: 0");
  sa.esn = options.esn != 0;
  out.extras.inner_ip_checksum =
      options.ip_csum_enable != 0 || (face.options->inner_ip_csum == InnerIpChecksum::write && tunnel && !ingress);
  sa.verify_inner_checksum = !tunnel || face.options->inner_ip_csum != InnerIpChecksum::carry;
  out.extras.inner_l4_checksum = options.l4_csum_enable != 0;
  switch (options.tunnel_hdr_verify) {
    case 0:
      sa.verify_outer = false;
      break;
    case RTE_SECURITY_IPSEC_TUNNEL_VERIFY_DST_ADDR:
      sa.verify_outer = false;
      out.extras.verify_destination = ingress && tunnel;
      break;
    case RTE_SECURITY_IPSEC_TUNNEL_VERIFY_SRC_DST_ADDR:
      sa.verify_outer = tunnel;
      break;
    default:
      return refuse(why, EINVAL,
                    fmt::format("options.tunnel_hdr_verify: {}, allowed: 0 to 2", +options.tunnel_hdr_verify));
  }
  if (options.udp_encap != 0) {
    // RFC 3948: 4500 where the application leaves it out.
    UdpEncapsulation udp;
    if (ipsec.udp.sport != 0) udp.source_port = ipsec.udp.sport;
    if (ipsec.udp.dport != 0) udp.destination_port = ipsec.udp.dport;
    udp.verify_ports = options.udp_ports_verify != 0;
    sa.udp = udp;
  } else if (options.udp_ports_verify != 0) {
    return refuse(why, EINVAL, "options.udp_ports_verify: 1 without udp_encap, allowed: 0");
  }
  return 0;
}

int read_window(const rte_security_ipsec_xform& ipsec, EspSa& sa, std::string& why) {
  if (sa.direction == Direction::egress) return 0;
  if (ipsec.replay_win_sz > replay_window_largest)
    return refuse(why, ENOTSUP,
                  fmt::format("replay_win_sz: {}, allowed: 0 to {}", ipsec.replay_win_sz, replay_window_largest));
  if (ipsec.replay_win_sz == 0) {
    if (sa.esn)
      return refuse(
          why, ENOTSUP,
          "replay_win_sz: 0 with esn, allowed: 1 to 4096; the high half of a number is inferred from the window");
    sa.replay_window = 0;
    sa.replay_disabled = true;
    return 0;
  }
  sa.replay_window = std::bit_ceil(std::max(ipsec.replay_win_sz, replay_window_smallest));
  return 0;
}

}  // namespace

int read_transform(const rte_crypto_sym_xform* xform, GcmTransform& out, std::string& why) {
  if (xform == nullptr)
    return refuse(why, EINVAL, "crypto_xform: none, allowed: AEAD with AES_GCM or AUTH with AES_GMAC");
  if (xform->type == RTE_CRYPTO_SYM_XFORM_AEAD) {
    const auto& aead = xform->aead;
    if (aead.algo != RTE_CRYPTO_AEAD_AES_GCM)
      return refuse(why, ENOTSUP, fmt::format("aead.algo: {}, allowed: AES_GCM", static_cast<int>(aead.algo)));
    if (xform->next != nullptr)
      return refuse(why, ENOTSUP, "crypto_xform: AEAD with another behind it, allowed: alone");
    out = {.encrypt = aead.op == RTE_CRYPTO_AEAD_OP_ENCRYPT,
           .key = aead.key.data,
           .key_length = aead.key.length,
           .iv_offset = aead.iv.offset,
           .iv_length = aead.iv.length,
           .tag_length = aead.digest_length,
           .aad_length = aead.aad_length};
  } else {
    // A NULL cipher may stand on either side.
    const rte_crypto_sym_xform* auth = xform;
    const rte_crypto_sym_xform* other = xform->next;
    if (xform->type == RTE_CRYPTO_SYM_XFORM_CIPHER) std::swap(auth, other);
    if (auth == nullptr || auth->type != RTE_CRYPTO_SYM_XFORM_AUTH || auth->auth.algo != RTE_CRYPTO_AUTH_AES_GMAC)
      return refuse(why, ENOTSUP, "crypto_xform: allowed are AEAD with AES_GCM and AUTH with AES_GMAC");
    if (other != nullptr &&
        (other->type != RTE_CRYPTO_SYM_XFORM_CIPHER || other->cipher.algo != RTE_CRYPTO_CIPHER_NULL))
      return refuse(why, ENOTSUP,
                    "crypto_xform: AES_GMAC beside another transform, allowed: alone or with a NULL cipher");
    const auto& gmac = auth->auth;
    out = {.gmac = true,
           .encrypt = gmac.op == RTE_CRYPTO_AUTH_OP_GENERATE,
           .key = gmac.key.data,
           .key_length = gmac.key.length,
           .iv_offset = gmac.iv.offset,
           .iv_length = gmac.iv.length,
           .tag_length = gmac.digest_length};
  }
  if (out.key == nullptr || (out.key_length != 16 && out.key_length != 24 && out.key_length != 32))
    return refuse(why, ENOTSUP, fmt::format("key of {} bytes, allowed: 16, 24, 32", out.key_length));
  if (out.tag_length != esp_icv_size)
    return refuse(why, ENOTSUP, fmt::format("digest_length: {}, allowed: {}", out.tag_length, esp_icv_size));
  return 0;
}

// 1. What kind of session, and whose algorithm. 2. Options, outer header, window. 3. Lifetimes. 4. Numbers.
int convert(const rte_security_session_conf& conf, const IpsecFace& face, IpsecConf& out, std::string& why) {
  // 1.
  if (conf.action_type != face.action)
    return refuse(
        why, ENOTSUP,
        fmt::format("action_type: {}, allowed: {}", static_cast<int>(conf.action_type), static_cast<int>(face.action)));
  if (conf.protocol != RTE_SECURITY_PROTOCOL_IPSEC)
    return refuse(why, ENOTSUP, fmt::format("protocol: {}, allowed: IPSEC", static_cast<int>(conf.protocol)));
  const rte_security_ipsec_xform& ipsec = conf.ipsec;
  if (ipsec.proto != RTE_SECURITY_IPSEC_SA_PROTO_ESP)
    return refuse(why, ENOTSUP, fmt::format("ipsec.proto: {}, allowed: ESP", static_cast<int>(ipsec.proto)));
  GcmTransform gcm;
  if (const int code = read_transform(conf.crypto_xform, gcm, why); code != 0) return code;
  EspSa& sa = out.sa;
  sa.direction = ipsec.direction == RTE_SECURITY_IPSEC_SA_DIR_EGRESS ? Direction::egress : Direction::ingress;
  if (gcm.encrypt != (sa.direction == Direction::egress))
    return refuse(why, EINVAL,
                  "crypto_xform: its operation is not that of ipsec.direction; allowed: encrypt or generate on "
                  "egress, decrypt or verify on ingress");
  sa.mode = ipsec.mode == RTE_SECURITY_IPSEC_SA_MODE_TUNNEL ? EspMode::tunnel : EspMode::transport;
  sa.spi = ipsec.spi;
  sa.reserved_spi = face.options->reserved_spi;
  if (sa.spi != 0 && sa.spi < wire::esp_spi_smallest && !sa.reserved_spi)
    return refuse(
        why, EINVAL,
        fmt::format("ipsec.spi: {}, allowed: 256 and above (RFC 4303 2.1); with devarg reserved_spi=allow 1 and "
                    "above",
                    sa.spi));
  sa.algorithm = static_cast<EspAlgorithm>(gcm.key_length / 8 - 2 + (gcm.gmac ? 3 : 0));
  sa.key = Secret<32>(std::span(gcm.key, gcm.key_length));
  std::uint8_t salt[4];
  std::memcpy(salt, &ipsec.salt, sizeof salt);
  sa.salt = Secret<4>(salt);
  cleanse(salt, sizeof salt);
  // 2.
  if (const int code = read_options(ipsec, face, out, why); code != 0) return code;
  out.extras.iv_offset = gcm.iv_offset;
  if (sa.mode == EspMode::tunnel) {
    read_tunnel(ipsec, out);
  } else {
    sa.df = DfPolicy::copy;
  }
  if (const int code = read_window(ipsec, sa, why); code != 0) return code;
  // 3.
  sa.lifetime.soft = {.packets = ipsec.life.packets_soft_limit, .bytes = ipsec.life.bytes_soft_limit};
  sa.lifetime.hard = {.packets = ipsec.life.packets_hard_limit, .bytes = ipsec.life.bytes_hard_limit};
  // 4.
  out.number = ipsec.esn.value;
  if (!sa.esn && out.number > 0xffffffffU)
    return refuse(why, EINVAL, fmt::format("esn.value: {} without esn, allowed: at most 4294967295", out.number));
  return 0;
}

}  // namespace linecrypt::dpdk
