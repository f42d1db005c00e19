// rte_security's description of an IPsec session as an EspSa, or a refusal that names the field.
#pragma once

#include <rte_security.h>

#include <cstdint>
#include <string>

#include "driver/dpdk/common/devargs.hpp"
#include "linecrypt/capabilities.hpp"
#include "linecrypt/esp_sa.hpp"

namespace linecrypt::dpdk {

// What the session asks of the driver beside the engine.
struct IpsecExtras {
  bool set_flow_label = false;  // egress, IPv6 outer header: write `flow_label`, the engine knows its own only
  std::uint32_t flow_label = 0;
  bool inner_ip_checksum = false;   // egress: write it; ingress: tell of it in the mbuf
  bool inner_l4_checksum = false;   //
  bool verify_destination = false;  // ingress: the outer destination, and not the source
  bool given_iv = false;            // egress: the IV is the application's (test suites, devarg test_iv)
  std::uint16_t iv_offset = 0;      // where it is in the crypto op
};

struct IpsecConf {
  EspSa sa;
  IpsecExtras extras;
  std::uint64_t number = 0;  // egress: the first to use, 0: no wish; ingress: the first expected
};

struct IpsecFace {
  rte_security_session_action_type action = RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL;
  const DriverOptions* options = nullptr;
};

// 0, or -EINVAL (nonsense) or -ENOTSUP (not done here) with a sentence in `why`.
int convert(const rte_security_session_conf& conf, const IpsecFace& face, IpsecConf& out, std::string& why);

// An AES-GCM or GMAC transform: as one AEAD, or as AUTH with AES_GMAC, alone or beside a NULL cipher.
struct GcmTransform {
  bool gmac = false;
  bool encrypt = false;
  const std::uint8_t* key = nullptr;
  std::uint16_t key_length = 0;
  std::uint16_t iv_offset = 0;
  std::uint16_t iv_length = 0;
  std::uint16_t tag_length = 0;
  std::uint16_t aad_length = 0;
};
int read_transform(const rte_crypto_sym_xform* xform, GcmTransform& out, std::string& why);

}  // namespace linecrypt::dpdk
