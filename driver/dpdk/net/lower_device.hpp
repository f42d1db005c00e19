// LowerDevice: what carries the frames of a net_linecrypt: another ethdev, which is ours as long as we stand on it, or
// nothing but a loop.
#pragma once

#include <rte_ethdev.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/dpdk/net/loopback.hpp"
#include "driver/dpdk/net/net_options.hpp"

namespace linecrypt::dpdk {

class LowerDevice {
 public:
  // `port`: the name of the ethdev that stands on it. What is made is unmade again when it ends, a port that was there
  // is given back.
  static Result<std::unique_ptr<LowerDevice>> open(const std::string& port, const LowerChoice& choice);
  ~LowerDevice();
  LowerDevice(const LowerDevice&) = delete;
  LowerDevice& operator=(const LowerDevice&) = delete;

  // Called once, from a thread of the lower driver's, when it says that it is gone. Set before watch().
  void on_removal(std::function<void()> handler) { on_removal_ = std::move(handler); }
  // The same for its link.
  void on_link(std::function<void()> handler) { on_link_ = std::move(handler); }

  // From here on its events are told.
  void watch();
  // The bus is taking our own device away: what was made is closed at the end, and taken from its bus later.
  void bus_walks() noexcept { bus_walks_ = true; }

  [[nodiscard]] bool loops() const noexcept { return port_ == nowhere; }
  // Gone for good; its bursts are not called any more.
  [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_relaxed); }
  // The lower port, where there is one and it still answers.
  [[nodiscard]] std::optional<std::uint16_t> port() const noexcept;
  // What it can do; a loop: what one like it would.
  [[nodiscard]] rte_eth_dev_info info() const;
  [[nodiscard]] std::uint32_t device_flags() const;

  // ---- control; 0 or a negative errno ----
  // `conf` as the application has it; what the lower device does not know is left out.
  int configure(std::uint16_t rx_queues, std::uint16_t tx_queues, const rte_eth_conf& conf);
  int set_up_rx(std::uint16_t queue, std::uint16_t descriptors, unsigned socket, const rte_eth_rxconf& conf,
                rte_mempool* pool);
  int set_up_tx(std::uint16_t queue, std::uint16_t descriptors, unsigned socket, const rte_eth_txconf& conf);
  int start();
  // Frees what is in the loops.
  int stop();

  // ---- workers; a queue is used by one thread at a time ----
  // Takes the first n.
  std::uint16_t send(std::uint16_t queue, rte_mbuf** mbufs, std::uint16_t count) noexcept {
    if (port_ != nowhere) return rte_eth_tx_burst(port_, queue, mbufs, count);
    return loops_[queue % loops_.size()].put(mbufs, count);
  }
  std::uint16_t receive(std::uint16_t queue, rte_mbuf** mbufs, std::uint16_t count) noexcept {
    if (port_ != nowhere) return rte_eth_rx_burst(port_, queue, mbufs, count);
    return loops_[queue].take(mbufs, count);
  }
  // The lower driver computes checksums of clear frames, and wants to look at them before.
  [[nodiscard]] bool prepares() const noexcept { return prepares_; }
  std::uint16_t prepare(std::uint16_t queue, rte_mbuf** mbufs, std::uint16_t count) noexcept {
    return rte_eth_tx_prepare(port_, queue, mbufs, count);
  }

 private:
  static constexpr std::uint16_t nowhere = RTE_MAX_ETHPORTS;

  LowerDevice() = default;
  Result<void> find(const std::string& port, const LowerChoice& choice);
  Result<void> own(const std::string& port);
  void release();
  struct Watched;
  void unwatch();
  void hear(rte_eth_event_type event);
  static int on_event(std::uint16_t port, rte_eth_event_type event, void* self, void* result);

  LowerChoice choice_;
  std::uint16_t port_ = nowhere;
  std::uint64_t owner_ = 0;  // 0: not owned
  bool bus_walks_ = false;
  std::atomic<bool> gone_{false};
  std::atomic<bool> destroyed_{false};  // the port is no port any more
  bool prepares_ = false;
  std::vector<Loopback> loops_;
  std::function<void()> on_removal_;
  std::function<void()> on_link_;
};

}  // namespace linecrypt::dpdk
