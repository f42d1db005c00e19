// Capabilities: what an engine can do, as plain data, and check(): may this SA be installed there?
#pragma once

#include <cstdint>
#include <string>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt {

struct Capabilities {
  std::string engine;    // "software", "card", ...
  std::string provider;  // what computes AES-GCM: "ipsec-mb 1.3.0 (avx512)", "openssl 3.0.17"

  std::uint32_t max_sas = 0;
  std::uint32_t max_queues = 1;
  std::uint32_t max_burst = 64;
  std::uint32_t max_segments = 1;
  std::uint32_t max_packet = 9728;  // bytes of one frame, before or after
  std::uint32_t max_stages = 2;
  bool immediate = false;       // submit() finishes every job that it accepts
  bool window_restore = false;  // takes RestoreWindow

  bool esp = false;
  bool esp_tunnel = false;
  bool esp_transport = false;
  bool esp_inter_family = false;  // IPv6 in IPv4 and the reverse
  bool esp_udp = false;
  bool esp_udp_ipv6 = false;       // UDP over IPv6: its checksum covers the ciphertext (RFC 8200 8.1)
  bool esp_udp_transport = false;  // UDP in transport mode: the inner checksum is repaired (RFC 3948 3.1.2)
  bool esp_esn = false;
  bool esp_tfc = false;
  bool aes_128 = false;
  bool aes_192 = false;
  bool aes_256 = false;
  bool gmac = false;
  std::uint32_t replay_window_max = 0;
  std::uint32_t max_selectors = 0;  // per ingress SA

  bool macsec = false;
  bool macsec_xpn = false;
  bool macsec_integrity_only = false;
  bool macsec_confidentiality_offset = false;
  std::uint32_t macsec_clear_tags = 0;
  std::uint32_t duplicate_bitmap_max = 0;
};

// Pure. The refusal names the field, what was asked and what is allowed; rules of the standards first, then the
// engine's limits.
[[nodiscard]] Result<void> check(const Capabilities& capabilities, const EspSa& sa);
[[nodiscard]] Result<void> check(const Capabilities& capabilities, const MacsecSa& sa);

}  // namespace linecrypt
