// Where our handles lie in DPDK's security sessions, and what its metadata in an mbuf says.
#pragma once

#include <rte_security_driver.h>

#include "driver/dpdk/common/esp_sessions.hpp"
#include "driver/dpdk/net/macsec_session.hpp"

namespace linecrypt::dpdk {

// In an rte_security_session of ours: one of the two.
struct NetHandle {
  EspHandle esp;
  MacsecHandle macsec;
};

[[nodiscard]] inline NetHandle& net_handle(void* session) noexcept {
  return *static_cast<NetHandle*>(SECURITY_GET_SESS_PRIV(session));
}

// The metadata of an egress packet is a number, not a pointer: what an application left in an old mbuf is looked up
// before it is used. 0: no session.
[[nodiscard]] inline std::uint64_t metadata_of(const EspHandle& handle) noexcept {
  return std::uint64_t{handle.generation} << 32U | handle.session->sa_index;
}

[[nodiscard]] inline EspSession* session_of(std::uint64_t metadata, EspSessions& sessions) noexcept {
  const auto index = static_cast<std::uint32_t>(metadata);
  const auto generation = static_cast<std::uint32_t>(metadata >> 32U);
  if (generation == 0 || index >= sessions.device().max_sas()) return nullptr;
  return EspSessions::find({&sessions.at(index), generation});
}

}  // namespace linecrypt::dpdk
