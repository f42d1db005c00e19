// net_linecrypt: the driver as DPDK's vdev bus sees it.
#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_malloc.h>
#include <rte_version.h>

#include <cerrno>

#include "driver/dpdk/common/dpdk_version.hpp"
#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/net/device.hpp"

namespace linecrypt::dpdk {
namespace {

// DPDK's memory of our port is a pointer to the device.
constexpr std::size_t private_size = sizeof(void*);

// The lower device's address; a loop has one of its own.
int give_mac(rte_eth_dev* port, const LowerDevice& lower) {
  auto* const address = static_cast<rte_ether_addr*>(
      rte_zmalloc_socket("linecrypt mac", sizeof(rte_ether_addr), 0, port->data->numa_node));
  if (address == nullptr) return -ENOMEM;
  port->data->mac_addrs = address;
  if (const auto here = lower.port())
    rte_eth_macaddr_get(*here, address);
  else
    rte_eth_random_addr(address->addr_bytes);
  return 0;
}

// 1. Our port, before that of a device that we make: applications count on the order of what they asked for.
// 2. What carries the frames, and the engine. 3. The port is seen.
int make_port(rte_vdev_device* vdev, const NetOptions& options) {
  const char* const name = rte_vdev_device_name(vdev);
  // 1.
  if (options.driver.socket >= 0) vdev->device.numa_node = options.driver.socket;
  rte_eth_dev* const port = rte_eth_vdev_allocate(vdev, private_size);
  if (port == nullptr) return -ENOMEM;
  // 2.
  auto made = NetDevice::make(name, options, *port);
  if (!made) {
    log(Severity::error, "{}", made.error().message);
    rte_eth_dev_release_port(port);
    return -EINVAL;
  }
  if (const int code = give_mac(port, (*made)->lower()); code != 0) {
    made->reset();
    rte_eth_dev_release_port(port);
    return code;
  }
  // 3.
  NetDevice* const device = made->release();
  *static_cast<NetDevice**>(port->data->dev_private) = device;
  port->dev_ops = device_operations();
  port->rx_pkt_burst = receive_burst;
  port->tx_pkt_burst = send_burst;
  port->security_ctx = &device->security();
  port->data->dev_flags |= RTE_ETH_DEV_INTR_RMV | (device->lower().device_flags() & RTE_ETH_DEV_INTR_LSC);
  port->data->promiscuous = device->lower().loops() ? 1 : 0;
  port->data->mtu = RTE_ETHER_MTU;
  device->update_link();
  rte_eth_dev_probing_finish(port);
  return 0;
}

// 1. What this driver can run in. 2. The devargs. 3. The device: a refusal leaves nothing.
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
  const char* const text = rte_vdev_device_args(vdev);
  auto options = parse_net_options(text == nullptr ? "" : text);
  if (!options) {
    log(Severity::error, "{}: {}", name, options.error().message);
    return -EINVAL;
  }
  // 3.
  return make_port(vdev, *options);
}

// An application that closed its ports has none left.
int remove(rte_vdev_device* vdev) {
  rte_eth_dev* const port = rte_eth_dev_allocated(rte_vdev_device_name(vdev));
  if (port == nullptr) return 0;
  const std::uint16_t id = port->data->port_id;
  if (port->data->dev_started != 0) rte_eth_dev_stop(id);
  device_of(port).lower().bus_walks();
  return rte_eth_dev_close(id);
}

// Constant-initialised: DPDK's constructors write into it before ours would run.
constexpr rte_vdev_driver make_driver() {
  rte_vdev_driver driver{};
  driver.probe = probe;
  driver.remove = remove;
  return driver;
}
constinit rte_vdev_driver driver = make_driver();

}  // namespace

RTE_PMD_REGISTER_VDEV(net_linecrypt, driver);
RTE_PMD_REGISTER_PARAM_STRING(net_linecrypt,
                              "lower=loopback|<ethdev>|dev(<devargs>) unprotected=drop|pass "
                              "engine=software|auto|card xclbin=<path> card=<pci|number> queues=<int> max_sas=<int> "
                              "provider=automatic|ipsec_mb|openssl socket_id=<int>");

}  // namespace linecrypt::dpdk
