// rte_security's MACsec configurations as ours, or a refusal that names the field.
#pragma once

#include <rte_security.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "linecrypt/capabilities.hpp"
#include "linecrypt/macsec.hpp"

namespace linecrypt::dpdk {

// An SA as it was created: of which suite and SCI it is, its SC's session tells.
struct MacsecKeyed {
  Direction direction = Direction::egress;
  std::uint8_t an = 0;
  Secret<32> key;
  Secret<12> salt;
  std::uint32_t ssci = 0;
  std::uint64_t next_pn = 0;  // xpn << 32 | next_pn; 0: no wish
};

// A session: the SecY's settings, and what the driver does beside the engine.
struct MacsecSettings {
  MacsecSecY secy;
  Direction direction = Direction::egress;
  Sci sci;
  bool control_port = false;  // ingress: EAPOL frames go by
  // Egress.
  bool protect = true;           // false: frames leave as they are
  std::uint32_t mtu = 0;         // of a secured frame, without its Ethernet header
  bool behind_vlans = false;     // the SecTAG stands behind all VLAN tags (two at most) that a frame has
  std::uint32_t clear_tags = 0;  // else behind so many, which a frame must have
};

// An enumerator as the application set it, which may be none: not looked at as one before that is known.
template <typename Enumeration>
[[nodiscard]] std::uint32_t number_of(const Enumeration& value) noexcept {
  static_assert(sizeof(Enumeration) == sizeof(std::uint32_t));
  std::uint32_t number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

// The longest mtu: an engine's longest frame, without the Ethernet header.
[[nodiscard]] std::uint32_t macsec_mtu_most(const Capabilities& engine) noexcept;

[[nodiscard]] Sci sci_from(std::uint64_t value) noexcept;

// 0, or -EINVAL (nonsense) or -ENOTSUP (not done here) with a sentence in `why`.
int convert(const rte_security_macsec_sa& conf, MacsecKeyed& out, std::string& why);
int convert(const rte_security_session_conf& conf, const rte_security_macsec_sc& sc, const Capabilities& engine,
            MacsecSettings& out, std::string& why);

// The SA as an engine takes it. The engine's own check() comes later.
int make_sa(const MacsecSettings& settings, const MacsecKeyed& keyed, MacsecSa& out, std::string& why);

}  // namespace linecrypt::dpdk
