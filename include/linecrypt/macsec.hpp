// MACsec values (IEEE 802.1AE-2018): SecY configuration, and one SA of a transmit or receive SC as an engine needs it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "linecrypt/address.hpp"
#include "linecrypt/esp_sa.hpp"
#include "linecrypt/secret.hpp"

namespace linecrypt {

enum class CipherSuite : std::uint8_t { gcm_aes_128, gcm_aes_256, gcm_aes_xpn_128, gcm_aes_xpn_256 };  // 14.5 - 14.8

[[nodiscard]] constexpr bool is_xpn(CipherSuite suite) noexcept {
  return suite >= CipherSuite::gcm_aes_xpn_128;
}
[[nodiscard]] constexpr std::uint32_t key_size(CipherSuite suite) noexcept {
  return suite == CipherSuite::gcm_aes_128 || suite == CipherSuite::gcm_aes_xpn_128 ? 16 : 32;
}

enum class ValidateFrames : std::uint8_t { disabled, check, strict };  // 10.7.8

// Secure Channel Identifier (9.9): MAC address and port number.
struct Sci {
  MacAddress address;
  std::uint16_t port = 1;
  auto operator<=>(const Sci&) const = default;
  [[nodiscard]] std::uint64_t value() const noexcept {
    std::uint64_t v = 0;
    for (const std::uint8_t byte : address.bytes) v = (v << 8U) | byte;
    return (v << 16U) | port;
  }
};

// A VLAN tag that stays in clear before the SecTAG. On ingress TPID and VID must equal it; PCP and DEI are not trusted.
struct ClearVlanTag {
  std::uint16_t tpid = 0x8100;
  std::uint16_t vid = 0;  // 0..4094
  auto operator<=>(const ClearVlanTag&) const = default;
};

inline constexpr std::uint32_t macsec_icv_size = 16;
// The receiver infers the high half of an extended PN from the window (14.7).
inline constexpr std::uint32_t macsec_xpn_window_largest = (std::uint32_t{1} << 30U) - 1;

// How the SecTAG names its SC; the three are mutually exclusive (9.5).
enum class SciEncoding : std::uint8_t {
  explicit_sci,  // SC bit, 8-byte SCI in the tag
  end_station,   // ES bit: SCI is the source address and port 1
  implicit,      // neither: point-to-point, the receiver has one SC
  scb,           // ES clear, SCB set: single copy broadcast (EPON)
};

// Settings shared by all SAs of a SecY (10.7).
struct MacsecSecY {
  CipherSuite suite = CipherSuite::gcm_aes_xpn_256;
  SciEncoding sci_encoding = SciEncoding::explicit_sci;
  bool encrypt = true;                      // false: integrity only
  std::uint8_t confidentiality_offset = 0;  // 0, 30, 50; 0 with XPN
  ValidateFrames validate = ValidateFrames::strict;
  bool replay_protect = true;
  std::uint32_t replay_window = 0;  // 10.6.2; at most 2^30-1 with XPN
  std::uint32_t duplicate_bitmap =
      0;  // ours: also refuse duplicates within the window; 0 or a power of two 64..4096, >= replay_window
  std::vector<ClearVlanTag> clear_tags;  // 0, 1 or 2 tags left in clear before the SecTAG
  std::uint64_t pn_soft_limit =
      0;  // event when the next PN reaches it; 0: 0xC0000000, or 0xC000000000000000 with XPN (802.1X 9.8)
};

// One SA: what an engine installs in a slot.
struct MacsecSa {
  MacsecSecY secy;  // a copy: engines keep no SecY objects
  Direction direction = Direction::egress;
  Sci sci;              // of the SC that transmits with this SA
  std::uint8_t an = 0;  // 0..3
  Secret<32> key;
  Secret<12> salt;              // XPN only (14.7)
  std::uint32_t ssci = 0;       // XPN only, of the transmitter
  std::uint64_t lowest_pn = 1;  // ingress: lowest acceptable PN at install. Egress numbers come by lease

  // A copy with its secrets; a plain copy does not compile.
  [[nodiscard]] MacsecSa duplicate() const;
};

}  // namespace linecrypt
