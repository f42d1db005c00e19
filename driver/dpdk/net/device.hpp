// NetDevice: what stands behind one ethdev of ours: an engine, its sessions, what carries the frames, and the queues.
#pragma once

#include <ethdev_driver.h>
#include <rte_security_driver.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/dpdk/common/service_thread.hpp"
#include "driver/dpdk/net/capabilities.hpp"
#include "driver/dpdk/net/rx_queue.hpp"
#include "driver/dpdk/net/tx_queue.hpp"

namespace linecrypt::dpdk {

// What an rte_flow of ours is.
struct NetRule {
  EspSteering::Rule* esp = nullptr;
  MacsecSessions::Rule* macsec = nullptr;
};

class NetDevice {
 public:
  // For the ethdev `port`, which nobody sees yet.
  static Result<std::unique_ptr<NetDevice>> make(const std::string& name, const NetOptions& options, rte_eth_dev& port);
  // Stopped. What the lower device was made for this one goes as well.
  ~NetDevice();
  NetDevice(const NetDevice&) = delete;
  NetDevice& operator=(const NetDevice&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return context_->name(); }
  [[nodiscard]] DeviceContext& context() noexcept { return *context_; }
  [[nodiscard]] EspSessions& esp_sessions() noexcept { return *esp_sessions_; }
  [[nodiscard]] EspSteering& esp_steering() noexcept { return *esp_steering_; }
  [[nodiscard]] MacsecSessions& macsec() noexcept { return *macsec_; }
  // The rules of rte_flow. The library calls for one at a time.
  [[nodiscard]] std::vector<std::unique_ptr<NetRule>>& rules() noexcept { return rules_; }
  [[nodiscard]] LowerDevice& lower() noexcept { return *lower_; }
  [[nodiscard]] const NetCapabilities& capabilities() const noexcept { return *capabilities_; }
  [[nodiscard]] QueueContext& shared() noexcept { return *shared_; }
  [[nodiscard]] bool gone() const noexcept { return shared_->gone.load(std::memory_order_relaxed); }
  [[nodiscard]] rte_security_ctx& security() noexcept { return security_; }

  // ---- control, as DPDK calls it ----
  int configure();
  int start();
  int stop();
  int update_link();
  int set_up_rx(std::uint16_t index, std::uint16_t descriptors, unsigned socket, const rte_eth_rxconf& conf,
                rte_mempool* pool);
  int set_up_tx(std::uint16_t index, std::uint16_t descriptors, unsigned socket, const rte_eth_txconf& conf);
  void release_rx(std::uint16_t index);
  void release_tx(std::uint16_t index);

 private:
  NetDevice() = default;
  Result<void> build(const std::string& name, const NetOptions& options, rte_eth_dev& port);
  void vanish(const char* what);
  void tell_link();
  void on_event(const Event& event);
  void serve();

  rte_eth_dev* port_ = nullptr;
  std::unique_ptr<LowerDevice> lower_;
  std::unique_ptr<MacsecSessions> macsec_;  // ends behind the context, by its own wish
  std::unique_ptr<DeviceContext> context_;
  std::unique_ptr<EspSessions> esp_sessions_;
  std::unique_ptr<EspSteering> esp_steering_;
  std::unique_ptr<NetCapabilities> capabilities_;
  std::unique_ptr<QueueContext> shared_;
  rte_security_ctx security_{};
  std::vector<std::unique_ptr<NetRule>> rules_;
  std::mutex queues_mutex_;  // the service thread goes over the queues
  std::vector<std::unique_ptr<TxQueue>> tx_;
  std::vector<std::unique_ptr<RxQueue>> rx_;
  std::unique_ptr<ServiceThread> service_;  // while the device runs
};

// The object of an ethdev of ours: its private data is a pointer to it.
[[nodiscard]] inline NetDevice& device_of(const rte_eth_dev* port) noexcept {
  return **static_cast<NetDevice**>(port->data->dev_private);
}

// The tables that DPDK calls through.
[[nodiscard]] const eth_dev_ops* device_operations() noexcept;
[[nodiscard]] const rte_security_ops* security_operations() noexcept;
[[nodiscard]] const rte_flow_ops* flow_operations() noexcept;
std::uint16_t receive_burst(void* queue, rte_mbuf** mbufs, std::uint16_t count);
std::uint16_t send_burst(void* queue, rte_mbuf** mbufs, std::uint16_t count);

// Statistics; each an operation of ethdev.
int read_stats(rte_eth_dev* port, rte_eth_stats* out);
int reset_stats(rte_eth_dev* port);
int read_xstats(rte_eth_dev* port, rte_eth_xstat* out, unsigned count);
int name_xstats(rte_eth_dev* port, rte_eth_xstat_name* out, unsigned count);

}  // namespace linecrypt::dpdk
