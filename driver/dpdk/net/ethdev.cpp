// The operations of an ethdev. What the lower device has is asked of it, and what is set is set there.
#include <rte_malloc.h>

#include <algorithm>
#include <cerrno>

#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/net/device.hpp"

namespace linecrypt::dpdk {
namespace {

constexpr std::uint64_t rx_checksums = RTE_ETH_RX_OFFLOAD_CHECKSUM;
constexpr std::uint64_t tx_checksums =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

// `call` with the lower port. Without one, for a loop or a device that is gone, all is well.
template <typename Call>
int on_lower(rte_eth_dev* port, Call&& call) {
  const auto here = device_of(port).lower().port();
  return here ? call(*here) : 0;
}

// ---- the device ----

int configure(rte_eth_dev* port) {
  return device_of(port).configure();
}

int start(rte_eth_dev* port) {
  return device_of(port).start();
}

int stop(rte_eth_dev* port) {
  return device_of(port).stop();
}

// Its port goes next, with the MAC address and the pointer to it.
int close(rte_eth_dev* port) {
  NetDevice* const device = &device_of(port);
  for (std::uint16_t i = 0; i < port->data->nb_rx_queues; ++i) device->release_rx(i);
  for (std::uint16_t i = 0; i < port->data->nb_tx_queues; ++i) device->release_tx(i);
  port->security_ctx = nullptr;
  delete device;
  return 0;
}

// Stopped by now. A lower device that knows no reset needs none.
int reset(rte_eth_dev* port) {
  return on_lower(port, [](std::uint16_t lower) {
    const int code = rte_eth_dev_reset(lower);
    return code == -ENOTSUP ? 0 : code;
  });
}

int is_removed(rte_eth_dev* port) {
  return device_of(port).gone() ? 1 : 0;
}

// 1. What the lower device can. 2. What we add: checksums of decrypted packets and of those to be encrypted are ours.
int infos(rte_eth_dev* port, rte_eth_dev_info* info) {
  NetDevice& device = device_of(port);
  // 1.
  const rte_eth_dev_info lower = device.lower().info();
  info->min_mtu = lower.min_mtu;
  info->max_mtu = lower.max_mtu;
  info->min_rx_bufsize = lower.min_rx_bufsize;
  info->max_rx_pktlen = lower.max_rx_pktlen;
  info->max_mac_addrs = 1;
  info->rx_desc_lim = lower.rx_desc_lim;
  info->tx_desc_lim = lower.tx_desc_lim;
  info->flow_type_rss_offloads = lower.flow_type_rss_offloads;
  info->reta_size = lower.reta_size;
  info->hash_key_size = lower.hash_key_size;
  info->speed_capa = lower.speed_capa;
  info->default_rxportconf = lower.default_rxportconf;
  info->default_txportconf = lower.default_txportconf;
  const auto queues = static_cast<std::uint16_t>(device.context().options().queues - 1);
  info->max_rx_queues = std::min(lower.max_rx_queues, queues);
  info->max_tx_queues = std::min(lower.max_tx_queues, queues);
  // 2.
  info->rx_offload_capa = rx_checksums | RTE_ETH_RX_OFFLOAD_SECURITY |
                          (lower.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_RSS_HASH));
  info->tx_offload_capa =
      RTE_ETH_TX_OFFLOAD_SECURITY |
      (lower.tx_offload_capa & (tx_checksums | RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE));
  if (device.context().capabilities().macsec) {
    info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_MACSEC_STRIP;
    info->tx_offload_capa |= RTE_ETH_TX_OFFLOAD_MACSEC_INSERT;
  }
  return 0;
}

// ---- queues ----

int set_up_rx(rte_eth_dev* port, std::uint16_t index, std::uint16_t descriptors, unsigned socket,
              const rte_eth_rxconf* conf, rte_mempool* pool) {
  return device_of(port).set_up_rx(index, descriptors, socket, *conf, pool);
}

int set_up_tx(rte_eth_dev* port, std::uint16_t index, std::uint16_t descriptors, unsigned socket,
              const rte_eth_txconf* conf) {
  return device_of(port).set_up_tx(index, descriptors, socket, *conf);
}

void release_rx(rte_eth_dev* port, std::uint16_t index) {
  device_of(port).release_rx(index);
}

void release_tx(rte_eth_dev* port, std::uint16_t index) {
  device_of(port).release_tx(index);
}

// What the engine has finished leaves. The lower device's mbufs are its own; how many it has freed it may not know.
int clean_up_tx(void* queue, std::uint32_t /*count*/) {
  static_cast<TxQueue*>(queue)->progress();
  return 0;
}

// ---- the port ----

int update_link(rte_eth_dev* port, int /*wait*/) {
  return device_of(port).update_link();
}

// What leaves on the wire: what protection adds is the application's to leave room for.
int set_mtu(rte_eth_dev* port, std::uint16_t mtu) {
  return on_lower(port, [mtu](std::uint16_t lower) { return rte_eth_dev_set_mtu(lower, mtu); });
}

int set_mac(rte_eth_dev* port, rte_ether_addr* address) {
  return on_lower(port, [address](std::uint16_t lower) { return rte_eth_dev_default_mac_addr_set(lower, address); });
}

int set_multicast(rte_eth_dev* port, rte_ether_addr* addresses, std::uint32_t count) {
  return on_lower(port, [=](std::uint16_t lower) { return rte_eth_dev_set_mc_addr_list(lower, addresses, count); });
}

int promiscuous_on(rte_eth_dev* port) {
  return on_lower(port, rte_eth_promiscuous_enable);
}
int promiscuous_off(rte_eth_dev* port) {
  return on_lower(port, rte_eth_promiscuous_disable);
}
int allmulticast_on(rte_eth_dev* port) {
  return on_lower(port, rte_eth_allmulticast_enable);
}
int allmulticast_off(rte_eth_dev* port) {
  return on_lower(port, rte_eth_allmulticast_disable);
}
int link_up(rte_eth_dev* port) {
  return on_lower(port, rte_eth_dev_set_link_up);
}
int link_down(rte_eth_dev* port) {
  return on_lower(port, rte_eth_dev_set_link_down);
}

int flow_ops(rte_eth_dev* /*port*/, const rte_flow_ops** operations) {
  *operations = flow_operations();
  return 0;
}

eth_dev_ops make_operations() {
  eth_dev_ops ops{};
  ops.dev_configure = configure;
  ops.dev_start = start;
  ops.dev_stop = stop;
  ops.dev_close = close;
  ops.dev_reset = reset;
  ops.is_removed = is_removed;
  ops.dev_infos_get = infos;
  ops.dev_set_link_up = link_up;
  ops.dev_set_link_down = link_down;
  ops.link_update = update_link;
  ops.rx_queue_setup = set_up_rx;
  ops.tx_queue_setup = set_up_tx;
  ops.rx_queue_release = release_rx;
  ops.tx_queue_release = release_tx;
  ops.tx_done_cleanup = clean_up_tx;
  ops.promiscuous_enable = promiscuous_on;
  ops.promiscuous_disable = promiscuous_off;
  ops.allmulticast_enable = allmulticast_on;
  ops.allmulticast_disable = allmulticast_off;
  ops.mtu_set = set_mtu;
  ops.mac_addr_set = set_mac;
  ops.set_mc_addr_list = set_multicast;
  ops.stats_get = read_stats;
  ops.stats_reset = reset_stats;
  ops.xstats_get = read_xstats;
  ops.xstats_reset = reset_stats;
  ops.xstats_get_names = name_xstats;
  ops.flow_ops_get = flow_ops;
  return ops;
}

}  // namespace

const eth_dev_ops* device_operations() noexcept {
  static const eth_dev_ops operations = make_operations();
  return &operations;
}

std::uint16_t receive_burst(void* queue, rte_mbuf** mbufs, std::uint16_t count) {
  return static_cast<RxQueue*>(queue)->receive(mbufs, count);
}

std::uint16_t send_burst(void* queue, rte_mbuf** mbufs, std::uint16_t count) {
  return static_cast<TxQueue*>(queue)->send(mbufs, count);
}

}  // namespace linecrypt::dpdk
