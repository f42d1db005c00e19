// Where our handles lie in DPDK's session objects.
#pragma once

#include <cryptodev_pmd.h>
#include <rte_security_driver.h>

#include "driver/dpdk/crypto/aead_sessions.hpp"

namespace linecrypt::dpdk {

[[nodiscard]] inline EspHandle& esp_handle(void* session) noexcept {
  return *static_cast<EspHandle*>(SECURITY_GET_SESS_PRIV(session));
}

[[nodiscard]] inline AeadHandle& aead_handle(void* session) noexcept {
  return *static_cast<AeadHandle*>(CRYPTODEV_GET_SYM_SESS_PRIV(session));
}

}  // namespace linecrypt::dpdk
