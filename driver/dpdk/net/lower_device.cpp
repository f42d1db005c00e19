#include "driver/dpdk/net/lower_device.hpp"

#include <ethdev_driver.h>
#include <fmt/format.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "driver/dpdk/common/log.hpp"

namespace linecrypt::dpdk {
namespace {

constexpr std::uint64_t checksum_offloads =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

std::string ports_there(const std::string& but) {
  std::string names;
  const auto next_from = [](std::uint16_t at) {
    return static_cast<std::uint16_t>(rte_eth_find_next_owned_by(at, RTE_ETH_DEV_NO_OWNER));
  };
  for (std::uint16_t port = next_from(0); port < RTE_MAX_ETHPORTS;
       port = next_from(static_cast<std::uint16_t>(port + 1))) {
    char name[RTE_ETH_NAME_MAX_LEN] = {};
    if (rte_eth_dev_get_name_by_port(port, name) != 0 || but == name) continue;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return names.empty() ? "there are none" : "there are " + names;
}

// Devices that we made and closed while their bus was taking ours away. It may be walking its list of devices then (at
// the end of the EAL), so nothing is taken out of that; their names are free again when the next device is opened.
struct LeftBehind {
  std::mutex mutex;
  std::vector<std::pair<std::string, std::string>> devices;  // bus, name
};
LeftBehind& left_behind() {
  static LeftBehind all;
  return all;
}
void remove_left_behind() {
  LeftBehind& left = left_behind();
  const std::lock_guard lock(left.mutex);
  for (const auto& [bus, name] : left.devices) rte_eal_hotplug_remove(bus.c_str(), name.c_str());
  left.devices.clear();
}

bool is_started(std::uint16_t port) {
  return rte_eth_devices[port].data->dev_started != 0;
}

}  // namespace

Result<std::unique_ptr<LowerDevice>> LowerDevice::open(const std::string& port, const LowerChoice& choice) {
  std::unique_ptr<LowerDevice> lower(new LowerDevice);
  lower->choice_ = choice;
  if (choice.kind == LowerChoice::Kind::loopback) return lower;
  if (auto found = lower->find(port, choice); !found) return found.error();
  if (auto owned = lower->own(port); !owned) return owned.error();
  return lower;
}

Result<void> LowerDevice::find(const std::string& port, const LowerChoice& choice) {
  if (choice.name == port) return Error{fmt::format("devargs: lower={}: a device cannot stand on itself", choice.name)};
  std::uint16_t id = 0;
  const bool there = rte_eth_dev_get_port_by_name(choice.name.c_str(), &id) == 0;
  if (choice.kind == LowerChoice::Kind::existing) {
    if (!there)
      return Error{
          fmt::format("devargs: lower={}: no ethdev has that name; allowed: one that is there ({}), or dev({})",
                      choice.name, ports_there(port), choice.name)};
    rte_eth_dev_owner owner{};
    if (rte_eth_dev_owner_get(id, &owner) == 0 && owner.id != RTE_ETH_DEV_NO_OWNER)
      return Error{fmt::format("devargs: lower={}: it belongs to {}; allowed: an ethdev without an owner", choice.name,
                               owner.name)};
    if (is_started(id))
      return Error{fmt::format("devargs: lower={}: it is started; allowed: an ethdev that nobody uses", choice.name)};
    port_ = id;
    return {};
  }
  if (there) {
    choice_.kind = LowerChoice::Kind::none;  // nothing of ours to unmake
    return Error{fmt::format("devargs: lower=dev({}): {} is there already; allowed: lower={}", choice.devargs,
                             choice.name, choice.name)};
  }
  remove_left_behind();
  if (const int code = rte_dev_probe(choice.devargs.c_str()); code != 0) {
    choice_.kind = LowerChoice::Kind::none;
    return Error{fmt::format("devargs: lower=dev({}): it cannot be made: {}", choice.devargs, std::strerror(-code))};
  }
  if (rte_eth_dev_get_port_by_name(choice.name.c_str(), &id) != 0)
    return Error{fmt::format("devargs: lower=dev({}): what was made is no ethdev", choice.devargs)};
  port_ = id;
  return {};
}

// From here on applications do not see it.
Result<void> LowerDevice::own(const std::string& port) {
  rte_eth_dev_owner owner{};
  if (rte_eth_dev_owner_new(&owner.id) != 0) return Error{"the EAL gives no owner"};
  fmt::format_to_n(owner.name, sizeof owner.name - 1, "{}", port);
  if (rte_eth_dev_owner_set(port_, &owner) != 0)
    return Error{fmt::format("devargs: lower={}: it has got an owner meanwhile", choice_.name)};
  owner_ = owner.id;
  return {};
}

LowerDevice::~LowerDevice() {
  unwatch();
  release();
}

// A port that was there is given back as it was: stopped, without an owner. One that was made goes.
void LowerDevice::release() {
  const auto here = port();
  if (here && is_started(*here)) rte_eth_dev_stop(*here);
  if (here && owner_ != 0) rte_eth_dev_owner_unset(*here, owner_);
  if (choice_.kind != LowerChoice::Kind::made) return;
  rte_eth_dev_info info{};
  if (!here || rte_eth_dev_info_get(*here, &info) != 0) return;
  rte_device* const device = info.device;
  rte_eth_dev_close(*here);
  if (bus_walks_) {
    LeftBehind& left = left_behind();
    const std::lock_guard lock(left.mutex);
    left.devices.emplace_back(rte_bus_name(rte_dev_bus(device)), rte_dev_name(device));
    return;
  }
  if (const int code = rte_dev_remove(device); code != 0)
    log(Severity::warning, "{}: it is closed, and not removed: {}", choice_.name, std::strerror(-code));
}

std::optional<std::uint16_t> LowerDevice::port() const noexcept {
  if (port_ == nowhere || destroyed_.load(std::memory_order_acquire)) return std::nullopt;
  return port_;
}

// ---- events ----

// DPDK keeps what was registered for a port beyond the port's end, and nobody can take it back by then. So one function
// is registered for all ports, once, and looks up here whose event it is. Recursive: what is told of may close a port.
struct LowerDevice::Watched {
  std::recursive_mutex mutex;
  std::vector<LowerDevice*> devices;

  static Watched& all() {
    static Watched the_devices;
    return the_devices;
  }
  Watched() {
    for (const auto event : {RTE_ETH_EVENT_INTR_RMV, RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_DESTROY})
      rte_eth_dev_callback_register(RTE_ETH_ALL, event, on_event, nullptr);
  }
};

void LowerDevice::watch() {
  if (port_ == nowhere) return;
  Watched& all = Watched::all();
  const std::lock_guard lock(all.mutex);
  all.devices.push_back(this);
}

void LowerDevice::unwatch() {
  Watched& all = Watched::all();
  const std::lock_guard lock(all.mutex);
  std::erase(all.devices, this);
}

int LowerDevice::on_event(std::uint16_t port, rte_eth_event_type event, void* /*self*/, void* /*result*/) {
  Watched& all = Watched::all();
  const std::lock_guard lock(all.mutex);
  const auto found = std::find_if(all.devices.begin(), all.devices.end(),
                                  [port](const LowerDevice* one) { return one->port() == port; });
  if (found != all.devices.end()) (*found)->hear(event);
  return 0;
}

void LowerDevice::hear(rte_eth_event_type event) {
  if (event == RTE_ETH_EVENT_INTR_LSC) {
    if (on_link_) on_link_();
    return;
  }
  if (event == RTE_ETH_EVENT_DESTROY) destroyed_.store(true, std::memory_order_release);
  if (!gone_.exchange(true, std::memory_order_relaxed) && on_removal_) on_removal_();
}

// ---- control ----

rte_eth_dev_info LowerDevice::info() const {
  rte_eth_dev_info info{};
  if (const auto here = port()) {
    rte_eth_dev_info_get(*here, &info);
    return info;
  }
  info.min_mtu = RTE_ETHER_MIN_MTU;
  info.max_mtu = 9600;
  info.max_rx_pktlen = info.max_mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 2 * RTE_VLAN_HLEN;
  info.max_rx_queues = info.max_tx_queues = 64;
  info.min_rx_bufsize = 64;
  info.max_mac_addrs = 1;
  info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER;
  info.tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  info.rx_desc_lim =
      info.tx_desc_lim = {.nb_max = 4096, .nb_min = 1, .nb_align = 1, .nb_seg_max = 4, .nb_mtu_seg_max = 4};
  return info;
}

std::uint32_t LowerDevice::device_flags() const {
  const auto here = port();
  rte_eth_dev_info info{};
  if (!here || rte_eth_dev_info_get(*here, &info) != 0 || info.dev_flags == nullptr) return 0;
  return *info.dev_flags;
}

int LowerDevice::configure(std::uint16_t rx_queues, std::uint16_t tx_queues, const rte_eth_conf& conf) {
  const auto here = port();
  if (loops()) {
    loops_ = std::vector<Loopback>(std::max<std::size_t>(rx_queues, 1));
    return 0;
  }
  if (!here) return -ENODEV;
  const rte_eth_dev_info can = info();
  rte_eth_conf mine{};
  mine.rxmode.mtu = conf.rxmode.mtu;
  mine.rxmode.mq_mode = conf.rxmode.mq_mode;
  mine.rx_adv_conf.rss_conf = conf.rx_adv_conf.rss_conf;
  mine.rxmode.offloads =
      conf.rxmode.offloads & can.rx_offload_capa & ~(RTE_ETH_RX_OFFLOAD_SECURITY | RTE_ETH_RX_OFFLOAD_MACSEC_STRIP);
  mine.txmode.offloads =
      conf.txmode.offloads & can.tx_offload_capa & ~(RTE_ETH_TX_OFFLOAD_SECURITY | RTE_ETH_TX_OFFLOAD_MACSEC_INSERT);
  prepares_ = (mine.txmode.offloads & checksum_offloads) != 0;
  const std::uint32_t flags = device_flags();
  mine.intr_conf.lsc = (flags & RTE_ETH_DEV_INTR_LSC) != 0 ? 1 : 0;
  mine.intr_conf.rmv = (flags & RTE_ETH_DEV_INTR_RMV) != 0 ? 1 : 0;
  return rte_eth_dev_configure(*here, rx_queues, tx_queues, &mine);
}

int LowerDevice::set_up_rx(std::uint16_t queue, std::uint16_t descriptors, unsigned socket, const rte_eth_rxconf& conf,
                           rte_mempool* pool) {
  if (loops()) return 0;
  const auto here = port();
  if (!here) return -ENODEV;
  rte_eth_rxconf mine = info().default_rxconf;
  mine.rx_drop_en = conf.rx_drop_en;
  // Those of the port are the queue's as well.
  mine.offloads = 0;
  return rte_eth_rx_queue_setup(*here, queue, descriptors, socket, &mine, pool);
}

int LowerDevice::set_up_tx(std::uint16_t queue, std::uint16_t descriptors, unsigned socket,
                           const rte_eth_txconf& conf) {
  if (loops()) return 0;
  const auto here = port();
  if (!here) return -ENODEV;
  rte_eth_txconf mine = info().default_txconf;
  mine.tx_free_thresh = conf.tx_free_thresh;
  mine.tx_rs_thresh = conf.tx_rs_thresh;
  mine.offloads = 0;
  return rte_eth_tx_queue_setup(*here, queue, descriptors, socket, &mine);
}

int LowerDevice::start() {
  if (loops()) return 0;
  const auto here = port();
  return here && !gone() ? rte_eth_dev_start(*here) : -ENODEV;
}

int LowerDevice::stop() {
  rte_mbuf* mbuf = nullptr;
  for (Loopback& loop : loops_)
    while (loop.take(&mbuf, 1) != 0) rte_pktmbuf_free(mbuf);
  const auto here = port();
  return here && is_started(*here) ? rte_eth_dev_stop(*here) : 0;
}

}  // namespace linecrypt::dpdk
