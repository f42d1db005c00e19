// crypto_linecrypt: the driver as DPDK's vdev bus sees it.
#include <bus_vdev_driver.h>
#include <rte_version.h>

#include <cerrno>

#include "driver/dpdk/common/dpdk_version.hpp"
#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/crypto/device.hpp"

// The name under which it is found. A test build takes another driver's (tests/driver/dpdk): some third-party suites
// choose their device by a list of names.
#ifndef LINECRYPT_CRYPTO_NAME
#define LINECRYPT_CRYPTO_NAME crypto_linecrypt
#endif

namespace linecrypt::dpdk {
namespace {

std::uint8_t driver_id;

// 1. What this driver can run in. 2. The devargs. 3. The engine, before there is a device: a refusal leaves nothing.
// 4. The device.
int probe(rte_vdev_device* vdev) {
  const char* const name = rte_vdev_device_name(vdev);
  if (name == nullptr) return -EINVAL;
  // 1.
  if (auto good = check_dpdk_version(); !good) {
    log(Severity::error, "{}: {}", name, good.error().message);
    return -ENOTSUP;
  }
  if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
    log(Severity::error, "{}: not in a secondary process: rte_security has no sessions there", name);
    return -ENOTSUP;
  }
  // 2.
  DriverOptions options;
  const DevargTable table{common_devargs(), &options};
  const char* const text = rte_vdev_device_args(vdev);
  if (auto parsed = parse_devargs(text == nullptr ? "" : text, {&table, 1}); !parsed) {
    log(Severity::error, "{}: {}", name, parsed.error().message);
    return -EINVAL;
  }
  // 3.
  auto made = CryptoDevice::make(name, options);
  if (!made) {
    log(Severity::error, "{}", made.error().message);
    return -EINVAL;
  }
  // 4.
  rte_cryptodev_pmd_init_params parameters{};
  parameters.private_data_size = sizeof(CryptoDevice*);
  parameters.socket_id = options.socket;
  parameters.max_nb_queue_pairs = options.queues;
  rte_cryptodev* const dev = rte_cryptodev_pmd_create(name, &vdev->device, &parameters);
  if (dev == nullptr) return -ENOMEM;
  CryptoDevice* const device = made->release();
  *static_cast<CryptoDevice**>(dev->data->dev_private) = device;
  device->security.device = dev;
  dev->driver_id = driver_id;
  dev->dev_ops = device_operations();
  dev->enqueue_burst = enqueue_burst;
  dev->dequeue_burst = dequeue_burst;
  dev->feature_flags = feature_flags(*device);
  if (device->context->capabilities().esp) dev->security_ctx = &device->security;
  device->context->on_loss([dev] { rte_cryptodev_pmd_callback_process(dev, RTE_CRYPTODEV_EVENT_ERROR); });
  rte_cryptodev_pmd_probing_finish(dev);
  return 0;
}

// The library closes the device: it must not run any more, and its queue pairs go.
int remove(rte_vdev_device* vdev) {
  const char* const name = rte_vdev_device_name(vdev);
  rte_cryptodev* const dev = name == nullptr ? nullptr : rte_cryptodev_pmd_get_named_dev(name);
  if (dev == nullptr) return -ENODEV;
  if (dev->data->dev_started != 0) rte_cryptodev_stop(dev->data->dev_id);
  CryptoDevice* const device = &device_of(dev);
  if (const int code = rte_cryptodev_close(dev->data->dev_id); code != 0) return code;
  // From here on nobody calls through the device.
  dev->security_ctx = nullptr;
  delete device;
  return rte_cryptodev_pmd_destroy(dev);
}

// Constant-initialised: DPDK's constructors write into them before ours would run.
constexpr rte_vdev_driver make_driver() {
  rte_vdev_driver driver{};
  driver.probe = probe;
  driver.remove = remove;
  return driver;
}
constinit rte_vdev_driver driver = make_driver();
constinit cryptodev_driver crypto_driver{};

}  // namespace
}  // namespace linecrypt::dpdk

// The macros paste their arguments into names.
#define LINECRYPT_REGISTER(name)                                                                          \
  RTE_PMD_REGISTER_VDEV(name, driver);                                                                    \
  RTE_PMD_REGISTER_PARAM_STRING(name,                                                                     \
                                "engine=software|auto|card xclbin=<path> card=<pci|number> queues=<int> " \
                                "max_sas=<int> provider=automatic|vaes|ipsec_mb|openssl socket_id=<int>")

namespace linecrypt::dpdk {
LINECRYPT_REGISTER(LINECRYPT_CRYPTO_NAME);
RTE_PMD_REGISTER_CRYPTO_DRIVER(crypto_driver, driver.driver, driver_id);
}  // namespace linecrypt::dpdk
