// Device: one DPDK ethdev under a port.
#pragma once

#include <rte_ethdev.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "host/config/config.hpp"
#include "host/gateway/kernel/wire_netdev.hpp"
#include "host/gateway/pipeline/frame.hpp"
#include "linecrypt/address.hpp"
#include "linecrypt/result.hpp"

struct rte_mempool;

namespace linecrypt::gateway {

// What the driver and the kernel below it count; frames that never reached the pipeline are here.
struct DeviceStats {
  std::uint64_t received_frames = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t transmitted_frames = 0;
  std::uint64_t transmitted_bytes = 0;
  std::uint64_t missed = 0;           // imissed: no room in the driver's ring
  std::uint64_t receive_errors = 0;   // ierrors
  std::uint64_t transmit_errors = 0;  // oerrors
  std::uint64_t no_buffer = 0;        // rx_nombuf
  std::uint64_t ring_dropped = 0;     // af_packet: the kernel found the ring full (PACKET_STATISTICS)
  bool ring_dropped_known = false;
};

class Device {
 public:
  // Creates (virtual devices) or finds (PCI), configures one queue pair and starts. `wire` is the netdev under an
  // af_packet port, else null.
  static Result<Device> open(const config::Config& config, PortIndex port, rte_mempool* pool,
                             const kernel::WireNetdev* wire);
  Device(Device&& other) noexcept;
  Device& operator=(Device&&) = delete;
  ~Device();  // stops and removes

  // ---- worker ----
  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> mbufs) noexcept {
    return rte_eth_rx_burst(id_, 0, mbufs.data(), static_cast<std::uint16_t>(mbufs.size()));
  }
  [[nodiscard]] std::uint16_t transmit(std::span<rte_mbuf*> mbufs) noexcept {
    return rte_eth_tx_burst(id_, 0, mbufs.data(), static_cast<std::uint16_t>(mbufs.size()));
  }
  // af_packet: the kernel may leave the last frames of a burst in its ring when its socket buffer is full; this asks it
  // to go on. One system call, for when the worker goes idle.
  void kick() noexcept;
  // A descriptor that becomes readable with the next frame; -1 when the driver has none.
  [[nodiscard]] int wait_descriptor() const noexcept { return sockets_.empty() ? -1 : sockets_.front(); }

  // ---- control thread ----
  [[nodiscard]] const MacAddress& mac() const noexcept { return mac_; }
  [[nodiscard]] const std::string& driver() const noexcept { return driver_; }
  [[nodiscard]] DeviceStats stats();
  [[nodiscard]] bool link_up() const;

 private:
  Device() = default;
  Result<void> configure(const config::Config& config, const config::Port& port, rte_mempool* pool);
  Result<void> take_sockets(const kernel::WireNetdev& wire);

  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  std::string name_;    // of the ethdev
  std::string driver_;  // "net_af_packet"
  bool virtual_ = false;
  bool started_ = false;
  MacAddress mac_;
  std::vector<int> sockets_;  // af_packet's own; closed by the driver
  std::uint64_t ring_dropped_ = 0;
};

}  // namespace linecrypt::gateway
