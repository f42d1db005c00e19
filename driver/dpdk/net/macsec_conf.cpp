#include "driver/dpdk/net/macsec_conf.hpp"

#include <fmt/format.h>
#include <rte_byteorder.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <iterator>

#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::dpdk {
namespace {

int refuse(std::string& why, int code, std::string text) {
  why = std::move(text);
  return -code;
}

constexpr std::uint8_t fixed_smallest = wire::macsec_addresses_size;
constexpr std::uint8_t fixed_largest =
    wire::macsec_addresses_size + wire::macsec_clear_tags_largest * wire::vlan_tag_size;

// How the SecTAG names its SC: one of the three bits, or none (IEEE 802.1AE-2018 9.5).
int read_encoding(const rte_security_macsec_xform& macsec, MacsecSecY& secy, std::string& why) {
  const auto& tx = macsec.tx_secy;
  if (tx.send_sci + tx.end_station + tx.scb > 1)
    return refuse(why, EINVAL,
                  fmt::format("tx_secy: send_sci={}, end_station={}, scb={}; allowed: one of them, or none",
                              +tx.send_sci, +tx.end_station, +tx.scb));
  secy.sci_encoding = tx.send_sci != 0      ? SciEncoding::explicit_sci
                      : tx.end_station != 0 ? SciEncoding::end_station
                      : tx.scb != 0         ? SciEncoding::scb
                                            : SciEncoding::implicit;
  return 0;
}

int read_tx(const rte_security_macsec_xform& macsec, const rte_security_macsec_sc& sc, const Capabilities& engine,
            MacsecSettings& out, std::string& why) {
  const auto& tx = macsec.tx_secy;
  if (tx.sectag_version != 0) return refuse(why, EINVAL, "tx_secy.sectag_version: 1, allowed: 0");
  if (tx.reserved != 0) return refuse(why, EINVAL, fmt::format("tx_secy.reserved: {:#x}, allowed: 0", +tx.reserved));
  if (tx.icv_include_da_sa == 0)
    return refuse(why, ENOTSUP, "tx_secy.icv_include_da_sa: 0, allowed: 1 (IEEE 802.1AE-2018 14.5)");
  if (const int code = read_encoding(macsec, out.secy, why); code != 0) return code;
  if (macsec.sci != 0 && sc.sc_tx.sci != 0 && macsec.sci != sc.sc_tx.sci)
    return refuse(
        why, EINVAL,
        fmt::format("macsec.sci: {:#018x}, allowed: 0, or sc_tx.sci of its SC {:#018x}", macsec.sci, sc.sc_tx.sci));
  out.sci = sci_from(sc.sc_tx.sci != 0 ? sc.sc_tx.sci : macsec.sci);
  // A receiver takes port 0 from the SCB bit; another one would give it another IV. Not every engine says so at once.
  if (tx.scb != 0 && out.sci.port != wire::sci_port_scb)
    return refuse(
        why, EINVAL,
        fmt::format("sc_tx.sci: port {} with scb, allowed: port 0 with scb (IEEE 802.1AE-2018 9.5)", out.sci.port));
  const std::uint32_t most = macsec_mtu_most(engine);
  if (tx.mtu == 0 || tx.mtu > most)
    return refuse(why, EINVAL, fmt::format("tx_secy.mtu: {}, allowed: 1 to {}", tx.mtu, most));
  out.mtu = tx.mtu;
  out.behind_vlans = tx.sectag_insert_mode == 0;
  const auto off = tx.sectag_off;
  if (out.behind_vlans && off != wire::vlan_tag_size)
    return refuse(
        why, ENOTSUP,
        fmt::format("tx_secy.sectag_off: {} with sectag_insert_mode=0, allowed: 4, right behind a VLAN tag", off));
  if (!out.behind_vlans && (off < fixed_smallest || off > fixed_largest || off % wire::vlan_tag_size != 0))
    return refuse(why, ENOTSUP,
                  fmt::format("tx_secy.sectag_off: {} with sectag_insert_mode=1, allowed: 12, 16 or 20, behind the "
                              "addresses and no, one or two VLAN tags",
                              off));
  out.clear_tags = out.behind_vlans ? 0 : (off - fixed_smallest) / wire::vlan_tag_size;
  out.protect = tx.protect_frames != 0;
  out.secy.encrypt = tx.encrypt != 0;
  return 0;
}

int read_rx(const rte_security_macsec_xform& macsec, const Capabilities& engine, MacsecSettings& out,
            std::string& why) {
  const auto& rx = macsec.rx_secy;
  if (rx.reserved != 0) return refuse(why, EINVAL, fmt::format("rx_secy.reserved: {:#x}, allowed: 0", +rx.reserved));
  if (rx.icv_include_da_sa == 0)
    return refuse(why, ENOTSUP, "rx_secy.icv_include_da_sa: 0, allowed: 1 (IEEE 802.1AE-2018 14.5)");
  if (rx.preserve_sectag != 0) return refuse(why, ENOTSUP, "rx_secy.preserve_sectag: 1, allowed: 0");
  if (rx.preserve_icv != 0) return refuse(why, ENOTSUP, "rx_secy.preserve_icv: 1, allowed: 0");
  if (rx.validate_frames == RTE_SECURITY_MACSEC_VALIDATE_NO_OP)
    return refuse(why, ENOTSUP,
                  "rx_secy.validate_frames: 3 (NO_OP), allowed: 0 (DISABLE), 1 (NO_DISCARD) or 2 (STRICT); to do "
                  "nothing, leave the rule out");
  out.secy.validate = rx.validate_frames == RTE_SECURITY_MACSEC_VALIDATE_STRICT       ? ValidateFrames::strict
                      : rx.validate_frames == RTE_SECURITY_MACSEC_VALIDATE_NO_DISCARD ? ValidateFrames::check
                                                                                      : ValidateFrames::disabled;
  out.control_port = rx.ctrl_port_enable != 0;
  out.sci = sci_from(macsec.sci);
  out.secy.replay_protect = rx.replay_protect != 0;
  out.secy.replay_window = rx.replay_win_sz;
  // The standard lets a frame pass twice within the window. Where the engine can, it does not.
  if (out.secy.replay_protect && rx.replay_win_sz != 0 && rx.replay_win_sz <= engine.duplicate_bitmap_max)
    if (const auto bits = std::bit_ceil(std::max(rx.replay_win_sz, replay_window_smallest));
        bits <= engine.duplicate_bitmap_max)
      out.secy.duplicate_bitmap = bits;
  return 0;
}

}  // namespace

std::uint32_t macsec_mtu_most(const Capabilities& engine) noexcept {
  return std::min(engine.max_packet, wire::macsec_frame_largest) - wire::ethernet_size;
}

Sci sci_from(std::uint64_t value) noexcept {
  Sci sci;
  for (std::uint32_t i = 0; i < wire::mac_size; ++i)
    sci.address.bytes[i] = static_cast<std::uint8_t>(value >> (56U - 8U * i));
  sci.port = static_cast<std::uint16_t>(value);
  return sci;
}

// next_pn is big-endian, as in the SecTAG: so do the drivers and the test suite that there are use it, though the
// header calls it a plain integer.
int convert(const rte_security_macsec_sa& conf, MacsecKeyed& out, std::string& why) {
  if (number_of(conf.dir) > RTE_SECURITY_MACSEC_DIR_RX)
    return refuse(why, EINVAL, fmt::format("sa.dir: {}, allowed: 0 (TX) or 1 (RX)", number_of(conf.dir)));
  if (conf.key.data == nullptr) return refuse(why, EINVAL, "sa.key.data: none, allowed: a key");
  if (conf.key.length != 16 && conf.key.length != 32)
    return refuse(why, EINVAL, fmt::format("sa.key.length: {}, allowed: 16 or 32", conf.key.length));
  out.direction = conf.dir == RTE_SECURITY_MACSEC_DIR_TX ? Direction::egress : Direction::ingress;
  out.an = conf.an;
  out.key = Secret<32>(std::span(conf.key.data, conf.key.length));
  out.salt = Secret<12>(conf.salt);
  out.ssci = conf.ssci;
  out.next_pn = (std::uint64_t{conf.xpn} << 32U) | rte_be_to_cpu_32(conf.next_pn);
  return 0;
}

int convert(const rte_security_session_conf& conf, const rte_security_macsec_sc& sc, const Capabilities& engine,
            MacsecSettings& out, std::string& why) {
  const rte_security_macsec_xform& macsec = conf.macsec;
  if (!engine.macsec)
    return refuse(
        why, ENOTSUP,
        fmt::format("protocol: MACSEC, allowed by engine {}: IPSEC (its bitstream has no MACsec)", engine.engine));
  if (conf.action_type != RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL)
    return refuse(
        why, ENOTSUP,
        fmt::format("action_type: {}, allowed with MACSEC: {} (INLINE_PROTOCOL)", static_cast<int>(conf.action_type),
                    static_cast<int>(RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL)));
  if (conf.crypto_xform != nullptr) return refuse(why, EINVAL, "crypto_xform: given, allowed with MACSEC: none");
  constexpr CipherSuite suites[] = {CipherSuite::gcm_aes_128, CipherSuite::gcm_aes_256, CipherSuite::gcm_aes_xpn_128,
                                    CipherSuite::gcm_aes_xpn_256};
  const std::uint32_t alg = number_of(macsec.alg);
  if (alg >= std::size(suites)) return refuse(why, EINVAL, fmt::format("macsec.alg: {}, allowed: 0 to 3", alg));
  out.secy.suite = suites[alg];
  if (number_of(macsec.dir) != number_of(sc.dir))
    return refuse(why, EINVAL,
                  fmt::format("macsec.dir: {}, allowed: that of its SC, {} (0: TX, 1: RX)", number_of(macsec.dir),
                              number_of(sc.dir)));
  if (macsec.cipher_off != 0 && macsec.cipher_off != 30 && macsec.cipher_off != 50)
    return refuse(why, EINVAL, fmt::format("macsec.cipher_off: {}, allowed: 0, 30 or 50", macsec.cipher_off));
  out.secy.confidentiality_offset = macsec.cipher_off;
  out.direction = macsec.dir == RTE_SECURITY_MACSEC_DIR_TX ? Direction::egress : Direction::ingress;
  if (macsec.sci == wire::sci_unspecified ||
      (out.direction == Direction::egress && sc.sc_tx.sci == wire::sci_unspecified))
    return refuse(why, EINVAL, "sci: 0xffffffffffffffff, allowed: any other (IEEE 802.1AE-2018 9.9)");
  return out.direction == Direction::egress ? read_tx(macsec, sc, engine, out, why) : read_rx(macsec, engine, out, why);
}

int make_sa(const MacsecSettings& settings, const MacsecKeyed& keyed, MacsecSa& out, std::string& why) {
  const CipherSuite suite = settings.secy.suite;
  if (keyed.key.size() != key_size(suite))
    return refuse(
        why, EINVAL,
        fmt::format("sa.key.length: {}, allowed by macsec.alg of its session: {}", keyed.key.size(), key_size(suite)));
  if (!is_xpn(suite) && keyed.next_pn > 0xffffffffU)
    return refuse(why, EINVAL, fmt::format("sa.xpn: {}, allowed without XPN: 0", keyed.next_pn >> 32U));
  out.secy = settings.secy;
  out.direction = settings.direction;
  out.sci = settings.sci;
  out.an = keyed.an;
  out.key = keyed.key.duplicate();
  // Salt and SSCI are XPN's; what stands there otherwise is not looked at.
  if (is_xpn(suite)) {
    out.salt = keyed.salt.duplicate();
    out.ssci = keyed.ssci;
  }
  out.lowest_pn = settings.direction == Direction::ingress ? std::max<std::uint64_t>(keyed.next_pn, 1) : 1;
  return 0;
}

}  // namespace linecrypt::dpdk
