// CryptoDevice: what stands behind one cryptodev of ours: an engine, its sessions and the queue pairs.
#pragma once

#include <rte_security_driver.h>

#include <memory>
#include <string>

#include "driver/dpdk/crypto/capabilities.hpp"
#include "driver/dpdk/crypto/queue_pair.hpp"

namespace linecrypt::dpdk {

struct CryptoDevice {
  static Result<std::unique_ptr<CryptoDevice>> make(const std::string& name, const DriverOptions& options);

  std::unique_ptr<DeviceContext> context;
  std::unique_ptr<EspSessions> esp_sessions;
  std::unique_ptr<AeadSessions> aead_sessions;
  std::unique_ptr<CryptoCapabilities> capabilities;
  rte_security_ctx security{};
};

// The object of a cryptodev of ours: its private data is a pointer to it.
[[nodiscard]] inline CryptoDevice& device_of(const rte_cryptodev* dev) noexcept {
  return **static_cast<CryptoDevice**>(dev->data->dev_private);
}

// RTE_CRYPTODEV_FF_* of the device.
[[nodiscard]] std::uint64_t feature_flags(const CryptoDevice& device);

// The tables that DPDK calls through.
[[nodiscard]] rte_cryptodev_ops* device_operations() noexcept;
[[nodiscard]] const rte_security_ops* security_operations() noexcept;
std::uint16_t enqueue_burst(void* queue_pair, rte_crypto_op** ops, std::uint16_t count);
std::uint16_t dequeue_burst(void* queue_pair, rte_crypto_op** ops, std::uint16_t count);

}  // namespace linecrypt::dpdk
