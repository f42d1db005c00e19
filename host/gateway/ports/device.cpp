#include "host/gateway/ports/device.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "host/gateway/kernel/drop_table.hpp"
#include "host/gateway/ports/buffers.hpp"

namespace linecrypt::gateway {

namespace {

constexpr std::uint16_t descriptors_wanted = 1024;
constexpr int socket_buffer = 16 << 20;

struct Virtual {
  std::string name;
  std::string arguments;
};

// The devargs of a virtual device. PCI has none here.
Virtual virtual_of(const config::Port& port, PortIndex index, std::uint32_t longest) {
  struct Visitor {
    PortIndex index;
    std::uint32_t longest;
    Virtual operator()(const config::PciDevice&) const { return {}; }
    Virtual operator()(const config::AfPacketDevice& device) const {
      // One ring frame a block above a page, else a page of frames: blocks must be whole pages.
      const std::uint32_t frame = ring_frame_size(longest);
      const std::uint32_t block = std::max<std::uint32_t>(frame, 4096);
      // qdisc_bypass: our own frames go past the egress drop that keeps everyone else's in.
      return {fmt::format("net_af_packet{}", index),
              fmt::format("iface={},qpairs=1,blocksz={},framesz={},framecnt={},qdisc_bypass=1", device.netdev, block,
                          frame, device.frame_count)};
    }
    Virtual operator()(const config::TapDevice& device) const {
      return {fmt::format("net_tap{}", index), fmt::format("iface={}", device.netdev)};
    }
    Virtual operator()(const config::PcapDevice& device) const {
      return {fmt::format("net_pcap{}", index), fmt::format("rx_pcap={},tx_pcap={}", device.receive, device.transmit)};
    }
    Virtual operator()(const config::RingDevice& device) const { return {"net_ring_" + device.name, ""}; }
  };
  return std::visit(Visitor{index, longest}, port.device);
}

Error failed(const config::Port& port, const char* what, int code) {
  return Error{fmt::format("port {}: {}: {}", port.name, what, rte_strerror(code < 0 ? -code : code))};
}

bool is_af_packet_on(int descriptor, int kernel_index) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET) return false;
  sockaddr_ll address{};
  size = sizeof address;
  return ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.sll_ifindex == kernel_index;
}

}  // namespace

// The driver does not hand out its socket. We want it to mark its frames (see DropTable), to wait on, to read the
// ring's drops, and for two options that the driver does not set.
Result<void> Device::take_sockets(const kernel::WireNetdev& wire) {
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) return Error{fmt::format("/proc/self/fd: {}", std::strerror(errno))};
  while (const dirent* entry = ::readdir(folder.get())) {
    const int descriptor = static_cast<int>(std::strtol(entry->d_name, nullptr, 10));
    if (entry->d_name[0] == '.' || !is_af_packet_on(descriptor, wire.index())) continue;
    const std::uint32_t mark = wire.mark();
    if (::setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
      return Error{fmt::format("netdev {}: marking the port's socket: {}", wire.netdev(), std::strerror(errno))};
    sockets_.push_back(descriptor);
    // Frames that the kernel itself sends on this netdev are not received from the wire.
    const int on = 1;
    static_cast<void>(::setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on));
    // Room for a whole ring of frames on their way, so that a burst is never left half sent.
    static_cast<void>(::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &socket_buffer, sizeof socket_buffer));
  }
  if (sockets_.empty())
    return Error{fmt::format("netdev {}: the af_packet driver's socket was not found", wire.netdev())};
  return {};
}

Result<void> Device::configure(const config::Config& config, const config::Port& port, rte_mempool* pool) {
  // 1. One queue pair without offloads: frames are taken and given as the wire has them.
  rte_eth_dev_info info{};
  if (const int code = rte_eth_dev_info_get(id_, &info); code != 0) return failed(port, "device information", code);
  driver_ = info.driver_name != nullptr ? info.driver_name : "";
  const std::uint32_t payload = payload_mtu(config, port);
  rte_eth_conf conf{};
  if (!virtual_) {
    if (payload > info.max_mtu)
      return Error{fmt::format("port {}: needs an MTU of {} with its tags and MACsec, {} takes at most {}", port.name,
                               payload, driver_, info.max_mtu)};
    conf.rxmode.mtu = payload;
  }
  if (const int code = rte_eth_dev_configure(id_, 1, 1, &conf); code != 0) return failed(port, "configure", code);
  std::uint16_t receive_descriptors = descriptors_wanted;
  std::uint16_t transmit_descriptors = descriptors_wanted;
  if (const int code = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_descriptors, &transmit_descriptors); code != 0)
    return failed(port, "descriptors", code);
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  if (const int code = rte_eth_rx_queue_setup(id_, 0, receive_descriptors, socket, nullptr, pool); code != 0)
    return failed(port, "receive queue", code);
  if (const int code = rte_eth_tx_queue_setup(id_, 0, transmit_descriptors, socket, nullptr); code != 0)
    return failed(port, "transmit queue", code);

  // 2. A tap's netdev follows the MTU; the netdev under af_packet was set when it was secured.
  if (std::holds_alternative<config::TapDevice>(port.device))
    if (const int code = rte_eth_dev_set_mtu(id_, static_cast<std::uint16_t>(payload)); code != 0)
      return failed(port, "MTU", code);
  if (const int code = rte_eth_dev_start(id_); code != 0) return failed(port, "start", code);
  started_ = true;

  // 3. The port's MAC is what it answers to; every frame is received. (Starting a device resets its promiscuous mode.)
  rte_ether_addr address{};
  if (const int code = rte_eth_macaddr_get(id_, &address); code != 0) return failed(port, "MAC", code);
  std::memcpy(mac_.bytes.data(), address.addr_bytes, mac_.bytes.size());
  if (std::holds_alternative<config::TapDevice>(port.device)) mac_.bytes[5] ^= 1U;  // the kernel's end has the other
  if (port.mac) mac_ = *port.mac;
  const int code = rte_eth_promiscuous_enable(id_);
  if (code != 0 && code != -ENOTSUP) return failed(port, "promiscuous mode", code);
  static_cast<void>(rte_eth_allmulticast_enable(id_));
  return {};
}

Result<Device> Device::open(const config::Config& config, PortIndex index, rte_mempool* pool,
                            const kernel::WireNetdev* wire) {
  const config::Port& port = config.ports[index];
  Device device;
  if (const auto* pci = std::get_if<config::PciDevice>(&port.device)) {
    device.name_ = pci->address;
    if (rte_eth_dev_get_port_by_name(device.name_.c_str(), &device.id_) != 0)
      return Error{fmt::format(
          "port {}: no DPDK driver took PCI device {}; is it there and bound to vfio-pci (or a driver DPDK shares)?",
          port.name, device.name_)};
  } else {
    const Virtual made = virtual_of(port, index, longest_frame(config, port));
    if (const int code = rte_vdev_init(made.name.c_str(), made.arguments.c_str()); code != 0)
      return failed(port, fmt::format("DPDK device {},{}", made.name, made.arguments).c_str(), code);
    device.name_ = made.name;
    device.virtual_ = true;
    if (const int code = rte_eth_dev_get_port_by_name(made.name.c_str(), &device.id_); code != 0)
      return failed(port, made.name.c_str(), code);
  }
  if (wire != nullptr)
    if (auto taken = device.take_sockets(*wire); !taken)
      return Error{fmt::format("port {}: {}", port.name, taken.error().message)};
  if (auto configured = device.configure(config, port, pool); !configured) return configured.error();
  return device;
}

Device::Device(Device&& other) noexcept
    : id_(std::exchange(other.id_, std::uint16_t{RTE_MAX_ETHPORTS})),
      name_(std::move(other.name_)),
      driver_(std::move(other.driver_)),
      virtual_(std::exchange(other.virtual_, false)),
      started_(std::exchange(other.started_, false)),
      mac_(other.mac_),
      sockets_(std::move(other.sockets_)),
      ring_dropped_(other.ring_dropped_) {}

Device::~Device() {
  if (started_) rte_eth_dev_stop(id_);
  if (id_ != RTE_MAX_ETHPORTS) rte_eth_dev_close(id_);
  if (virtual_) rte_vdev_uninit(name_.c_str());
}

void Device::kick() noexcept {
  for (const int descriptor : sockets_) static_cast<void>(::sendto(descriptor, nullptr, 0, MSG_DONTWAIT, nullptr, 0));
}

DeviceStats Device::stats() {
  DeviceStats result;
  rte_eth_stats stats{};
  if (rte_eth_stats_get(id_, &stats) == 0) {
    result.received_frames = stats.ipackets;
    result.received_bytes = stats.ibytes;
    result.transmitted_frames = stats.opackets;
    result.transmitted_bytes = stats.obytes;
    result.missed = stats.imissed;
    result.receive_errors = stats.ierrors;
    result.transmit_errors = stats.oerrors;
    result.no_buffer = stats.rx_nombuf;
  }
  // Reading PACKET_STATISTICS sets the kernel's count back, so it is summed here.
  for (const int descriptor : sockets_) {
    tpacket_stats kernel{};
    socklen_t size = sizeof kernel;
    if (::getsockopt(descriptor, SOL_PACKET, PACKET_STATISTICS, &kernel, &size) != 0) continue;
    ring_dropped_ += kernel.tp_drops;
    result.ring_dropped_known = true;
  }
  result.ring_dropped = ring_dropped_;
  return result;
}

bool Device::link_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace linecrypt::gateway
