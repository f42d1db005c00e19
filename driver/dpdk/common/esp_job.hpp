// EspJob: one packet of an IPsec session on its way through the engine, from an mbuf and back into one.
#pragma once

#include <cstdint>

#include "driver/dpdk/common/bounce.hpp"
#include "driver/dpdk/common/esp_sessions.hpp"
#include "linecrypt/packet.hpp"

struct rte_mbuf;

namespace linecrypt::dpdk {

// What encapsulation adds at most: outer IPv6 and UDP headers, ESP header and IV; padding, trailer and ICV. An mbuf
// with less room goes through a bounce buffer.
inline constexpr std::uint32_t esp_front_most = 64;
inline constexpr std::uint32_t esp_behind_most = 24;

struct EspJob {
  Job job;
  Packet source;
  Packet destination;
  EspSession* session = nullptr;
  rte_mbuf* in = nullptr;
  rte_mbuf* out = nullptr;           // where the result goes; == in: in place
  std::uint8_t* bounce = nullptr;    // the packet is here meanwhile
  const std::uint8_t* iv = nullptr;  // given
  bool soft_expired = false;         // after finish_esp(): a soft limit is reached
};

enum class EspBegin : std::uint8_t {
  ready,      // submit `job`
  refused,    // job.verdict says why; nothing was changed
  no_bounce,  // come again when packets have come out
};

// The worker of the session's queue. `l2_length`: bytes before the IP header, 0 in look-aside.
EspBegin begin_esp(EspJob& esp, EspSession& session, rte_mbuf* in, rte_mbuf* out, std::uint16_t l2_length,
                   const std::uint8_t* iv, BounceRing& bounces) noexcept;

// Holding the lock of the session's queue, after the verdict: counts, and brings an accepted packet into its mbuf.
// True: the packet is good. On false the mbuf keeps its shape; payload whose decryption began is zero.
bool finish_esp(EspJob& esp, GivenIv* given_iv) noexcept;

}  // namespace linecrypt::dpdk
