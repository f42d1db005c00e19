#include "tests/driver/dpdk/net/wire.hpp"

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_bus_vdev.h>
#include <rte_malloc.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "tests/driver/dpdk/net/rig.hpp"

namespace linecrypt::test {
namespace {

struct Piece {
  Bytes frame;
  std::uint32_t segments = 0;
};

struct Queue {
  struct Line* line = nullptr;
  std::uint16_t index = 0;
  rte_mempool* pool = nullptr;
  std::mutex mutex;
  std::vector<Bytes> sent;
  std::deque<Piece> to_come;
};

// What stands behind one wire.
struct Line {
  rte_eth_dev* dev = nullptr;
  std::array<Queue, Wire::queues_most> queues;
  std::atomic<bool> loops{false}, holds{false}, gone{false}, promiscuous{false};
};

std::map<std::string, std::unique_ptr<Line>>& lines() {
  static std::map<std::string, std::unique_ptr<Line>> all;
  return all;
}

Line& line_of(const rte_eth_dev* dev) {
  return **static_cast<Line**>(dev->data->dev_private);
}

std::uint16_t send(void* queue_pointer, rte_mbuf** mbufs, std::uint16_t count) {
  Queue& queue = *static_cast<Queue*>(queue_pointer);
  if (queue.line->gone || queue.line->holds) return 0;
  const std::lock_guard lock(queue.mutex);
  for (std::uint16_t i = 0; i < count; ++i) {
    Bytes frame = bytes_of(mbufs[i]);
    if (queue.line->loops)
      queue.to_come.push_back({std::move(frame), 0});
    else
      queue.sent.push_back(std::move(frame));
    rte_pktmbuf_free(mbufs[i]);
  }
  return count;
}

std::uint16_t receive(void* queue_pointer, rte_mbuf** mbufs, std::uint16_t count) {
  Queue& queue = *static_cast<Queue*>(queue_pointer);
  if (queue.line->gone) return 0;
  const std::lock_guard lock(queue.mutex);
  std::uint16_t given = 0;
  while (given < count && !queue.to_come.empty()) {
    const Piece& piece = queue.to_come.front();
    rte_mbuf* const mbuf = make_mbuf(queue.pool, piece.frame, piece.segments);
    if (mbuf == nullptr) break;
    mbuf->port = queue.line->dev->data->port_id;
    mbufs[given++] = mbuf;
    queue.to_come.pop_front();
  }
  return given;
}

int nothing(rte_eth_dev* /*dev*/) {
  return 0;
}

eth_dev_ops make_operations() {
  eth_dev_ops ops{};
  ops.dev_configure = nothing;
  ops.dev_start = nothing;
  ops.dev_stop = nothing;
  ops.dev_close = nothing;
  ops.dev_infos_get = [](rte_eth_dev*, rte_eth_dev_info* info) {
    info->max_rx_queues = info->max_tx_queues = Wire::queues_most;
    info->max_mac_addrs = 1;
    info->min_mtu = 68;
    info->max_mtu = 9600;
    info->max_rx_pktlen = 9700;
    info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER;
    info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    return 0;
  };
  ops.link_update = [](rte_eth_dev*, int) { return 0; };
  ops.promiscuous_enable = [](rte_eth_dev* dev) {
    line_of(dev).promiscuous = true;
    return 0;
  };
  ops.promiscuous_disable = [](rte_eth_dev* dev) {
    line_of(dev).promiscuous = false;
    return 0;
  };
  ops.mtu_set = [](rte_eth_dev*, std::uint16_t) { return 0; };
  ops.mac_addr_set = [](rte_eth_dev*, rte_ether_addr*) { return 0; };
  ops.stats_get = [](rte_eth_dev*, rte_eth_stats* stats) {
    stats->imissed = 11;
    return 0;
  };
  ops.stats_reset = nothing;
  ops.rx_queue_setup = [](rte_eth_dev* dev, std::uint16_t index, std::uint16_t, unsigned, const rte_eth_rxconf*,
                          rte_mempool* pool) {
    Queue& queue = line_of(dev).queues[index];
    queue.pool = pool;
    dev->data->rx_queues[index] = &queue;
    return 0;
  };
  ops.tx_queue_setup = [](rte_eth_dev* dev, std::uint16_t index, std::uint16_t, unsigned, const rte_eth_txconf*) {
    dev->data->tx_queues[index] = &line_of(dev).queues[index];
    return 0;
  };
  return ops;
}

int probe(rte_vdev_device* vdev) {
  static const eth_dev_ops operations = make_operations();
  rte_eth_dev* const dev = rte_eth_vdev_allocate(vdev, sizeof(Line*));
  if (dev == nullptr) return -ENOMEM;
  auto line = std::make_unique<Line>();
  line->dev = dev;
  for (std::uint16_t i = 0; i < Wire::queues_most; ++i) {
    line->queues[i].line = line.get();
    line->queues[i].index = i;
  }
  *static_cast<Line**>(dev->data->dev_private) = line.get();
  lines()[rte_vdev_device_name(vdev)] = std::move(line);
  auto* const mac = static_cast<rte_ether_addr*>(rte_zmalloc("wire", sizeof(rte_ether_addr), 0));
  *mac = {{0x02, 0, 0, 0, 0, 0x77}};
  dev->data->mac_addrs = mac;
  dev->data->dev_link = {};
  dev->data->dev_link.link_speed = RTE_ETH_SPEED_NUM_10G;
  dev->data->dev_link.link_status = RTE_ETH_LINK_UP;
  dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_INTR_RMV;
  dev->dev_ops = &operations;
  dev->rx_pkt_burst = receive;
  dev->tx_pkt_burst = send;
  rte_eth_dev_probing_finish(dev);
  return 0;
}

int remove(rte_vdev_device* vdev) {
  const std::string name = rte_vdev_device_name(vdev);
  if (rte_eth_dev* const dev = rte_eth_dev_allocated(name.c_str()); dev != nullptr) rte_eth_dev_release_port(dev);
  lines().erase(name);
  return 0;
}

constexpr rte_vdev_driver make_driver() {
  rte_vdev_driver driver{};
  driver.probe = probe;
  driver.remove = remove;
  return driver;
}
constinit rte_vdev_driver driver = make_driver();

Line& line_named(const std::string& name) {
  return *lines().at(name);
}

}  // namespace

RTE_PMD_REGISTER_VDEV(net_wire, driver);

Wire::Wire() {
  start_eal();
  static int count = 0;
  name_ = "net_wire" + std::to_string(count++);
  if (rte_vdev_init(name_.c_str(), "") != 0 || rte_eth_dev_get_port_by_name(name_.c_str(), &port_) != 0)
    throw std::runtime_error("no wire");
}

Wire::~Wire() {
  rte_vdev_uninit(name_.c_str());
}

std::vector<Bytes> Wire::sent(std::uint16_t index) {
  Queue& queue = line_named(name_).queues[index];
  const std::lock_guard lock(queue.mutex);
  return std::exchange(queue.sent, {});
}

void Wire::put(const std::vector<Bytes>& frames, std::uint16_t index, std::uint32_t segments) {
  Queue& queue = line_named(name_).queues[index];
  const std::lock_guard lock(queue.mutex);
  for (const Bytes& frame : frames) queue.to_come.push_back({frame, segments});
}

void Wire::loop(bool on) {
  line_named(name_).loops = on;
}

void Wire::hold(bool on) {
  line_named(name_).holds = on;
}

void Wire::pull() {
  Line& line = line_named(name_);
  line.gone = true;
  rte_eth_dev_callback_process(line.dev, RTE_ETH_EVENT_INTR_RMV, nullptr);
}

void Wire::set_link(bool up) {
  Line& line = line_named(name_);
  rte_eth_link link = line.dev->data->dev_link;
  link.link_status = up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
  rte_eth_linkstatus_set(line.dev, &link);
  rte_eth_dev_callback_process(line.dev, RTE_ETH_EVENT_INTR_LSC, nullptr);
}

bool Wire::promiscuous() const {
  return line_named(name_).promiscuous;
}

bool Wire::started() const {
  return line_named(name_).dev->data->dev_started != 0;
}

std::uint16_t Wire::mtu() const {
  return line_named(name_).dev->data->mtu;
}

}  // namespace linecrypt::test
