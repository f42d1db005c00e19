// What the queues of one device share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "driver/dpdk/net/esp_steering.hpp"
#include "driver/dpdk/net/frame_pipeline.hpp"
#include "driver/dpdk/net/lower_device.hpp"
#include "driver/dpdk/net/macsec_sessions.hpp"

namespace linecrypt::dpdk {

struct QueueContext {
  EspSessions& esp_sessions;
  EspSteering& esp_steering;
  MacsecSessions& macsec;
  LowerDevice& lower;
  Unprotected unprotected = Unprotected::drop;
  rte_eth_dev* ethdev = nullptr;  // our own
  std::uint16_t port = 0;         // its number
  std::atomic<bool> gone{false};  // engine or lower device: bursts give and take nothing any more
  // With test_iv=1: the IV of a session that has one given, by SA index.
  std::vector<std::array<std::uint8_t, 8>> given_ivs{};
};

// Tells the application, from this thread.
void tell_limits(const QueueContext& context, const LimitNotes& limits);

// Frames and bytes that passed, and those that did not.
struct QueueCounts {
  std::uint64_t frames = 0, bytes = 0, errors = 0;
};

}  // namespace linecrypt::dpdk
