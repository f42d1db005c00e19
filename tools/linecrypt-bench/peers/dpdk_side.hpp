// DPDK's own ESP: librte_ipsec with one of its software cryptodevs, in this process, without hugepages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/linecrypt-bench/measure/side.hpp"
#include "tools/linecrypt-bench/workload/engine_rig.hpp"

namespace linecrypt::bench {

// The device crypto_aesni_gcm or crypto_aesni_mb. synchronous: librte_ipsec's CPU crypto, without the device's queues.
struct DpdkDevice {
  std::string driver;
  bool synchronous = false;
};

struct DpdkSettings {
  DpdkDevice device;
  Direction direction = Direction::egress;
  std::uint32_t key_bits = 128;
  std::uint32_t size = 64;  // of the inner IP packet
  std::uint32_t burst = 32;
  bool spoil_result = false;  // a planted fault, for the second check() to find
};

// The environment starts with the first one and stays for the process; it takes the core that this thread is pinned to.
Result<void> start_dpdk(int core);
[[nodiscard]] std::string dpdk_version();

// The SA is make_esp_sa()'s number 0: tunnel mode IPv4, ESN, window of 1024. Its mbufs and crypto ops are allocated
// once; a burst costs prepare, enqueue, dequeue and process, nothing else. What it makes is opened by our engine, and
// what it opens our engine has made.
Result<std::unique_ptr<Side>> make_dpdk_side(const DpdkSettings& settings);

}  // namespace linecrypt::bench
