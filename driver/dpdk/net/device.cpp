#include "driver/dpdk/net/device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "driver/dpdk/common/log.hpp"

namespace linecrypt::dpdk {
namespace {

// How often frames are moved on that an engine completes late and nobody asks for.
constexpr std::chrono::milliseconds serve_every{1};

constexpr std::uint32_t frames_least = 256;
constexpr std::uint32_t frames_most = 4096;

std::uint32_t frames_for(std::uint16_t descriptors) {
  return std::clamp<std::uint32_t>(descriptors, frames_least, frames_most);
}

}  // namespace

Result<std::unique_ptr<NetDevice>> NetDevice::make(const std::string& name, const NetOptions& options,
                                                   rte_eth_dev& port) {
  std::unique_ptr<NetDevice> device(new NetDevice);
  if (auto built = device->build(name, options, port); !built) return built.error();
  return device;
}

// 1. What carries the frames: quickly refused. 2. The engine, and what stands on it. 3. Who hears of what.
Result<void> NetDevice::build(const std::string& name, const NetOptions& options, rte_eth_dev& port) {
  port_ = &port;
  // 1.
  if (rte_security_dynfield_register() < 0) return Error{fmt::format("{}: no room for a field in mbufs", name)};
  auto lower = LowerDevice::open(name, options.lower);
  if (!lower) return Error{fmt::format("{}: {}", name, lower.error().message)};
  lower_ = std::move(lower).value();
  // 2.
  auto context = DeviceContext::open(name, options.driver);
  if (!context) return context.error();
  context_ = std::move(context).value();
  auto esp = EspSessions::make(*context_);
  if (!esp) return esp.error();
  esp_sessions_ = std::move(esp).value();
  auto macsec = MacsecSessions::make(*context_);
  if (!macsec) return macsec.error();
  macsec_ = std::move(macsec).value();
  esp_steering_ = std::make_unique<EspSteering>(*esp_sessions_);
  capabilities_ = std::make_unique<NetCapabilities>(context_->capabilities(), options.driver, context_->max_sas());
  shared_.reset(new QueueContext{.esp_sessions = *esp_sessions_,
                                 .esp_steering = *esp_steering_,
                                 .macsec = *macsec_,
                                 .lower = *lower_,
                                 .unprotected = options.unprotected,
                                 .ethdev = &port,
                                 .port = port.data->port_id});
  if (options.driver.test_iv) shared_->given_ivs.resize(context_->max_sas());
  // 3.
  context_->on_event([this](const Event& event) { on_event(event); });
  // With software behind the card, the loss is none.
  if (options.driver.engine == OffloadMode::card) context_->on_loss([this] { vanish("the card is lost"); });
  lower_->on_removal([this] { vanish("the lower device is gone"); });
  lower_->on_link([this] { tell_link(); });
  lower_->watch();
  security_.device = &port;
  security_.ops = security_operations();
  security_.flags = RTE_SEC_CTX_F_FAST_SET_MDATA;
  return {};
}

// First whoever might still tell of something.
NetDevice::~NetDevice() {
  service_.reset();
  lower_.reset();
  if (context_ != nullptr) context_->stop_events();
}

// ---- events ----

// From here on bursts give and take nothing. The application is told, and takes the device away.
void NetDevice::vanish(const char* what) {
  if (shared_->gone.exchange(true, std::memory_order_relaxed)) return;
  log(Severity::warning, "{}: {}: the device is removed", name(), what);
  rte_eth_dev_callback_process(port_, RTE_ETH_EVENT_INTR_RMV, nullptr);
}

void NetDevice::tell_link() {
  if ((port_->data->dev_flags & RTE_ETH_DEV_INTR_LSC) == 0) return;
  update_link();
  rte_eth_dev_callback_process(port_, RTE_ETH_EVENT_INTR_LSC, nullptr);
}

// The lower device's; a loop is up while it runs. 0: as before, else -1 (ethdev's convention).
int NetDevice::update_link() {
  rte_eth_link link{};
  link.link_duplex = RTE_ETH_LINK_FULL_DUPLEX;
  link.link_autoneg = RTE_ETH_LINK_FIXED;
  link.link_speed = RTE_ETH_SPEED_NUM_NONE;
  if (const auto here = lower_->port(); here && !gone()) {
    rte_eth_link_get_nowait(*here, &link);
  } else if (lower_->loops() && !gone() && service_ != nullptr) {
    link.link_speed = RTE_ETH_SPEED_NUM_100G;
    link.link_status = RTE_ETH_LINK_UP;
  }
  return rte_eth_linkstatus_set(port_, &link);
}

// What the engine tells of. Limits of IPsec sessions are told by the queue that found them.
void NetDevice::on_event(const Event& event) {
  if (rte_eth_event_macsec_desc macsec{}; macsec_->event(event, macsec)) {
    rte_eth_dev_callback_process(port_, RTE_ETH_EVENT_MACSEC, &macsec);
    return;
  }
  const EspSession* const session = esp_sessions_->of_sa(event.sa);
  if (session == nullptr || event.kind != EventKind::number_exhausted) return;
  rte_eth_event_ipsec_desc desc{};
  desc.metadata = session->userdata;
  desc.subtype = RTE_ETH_EVENT_IPSEC_ESN_OVERFLOW;
  rte_eth_dev_callback_process(port_, RTE_ETH_EVENT_IPSEC, &desc);
}

void tell_limits(const QueueContext& context, const LimitNotes& limits) {
  for (std::uint32_t i = 0; i < limits.count; ++i) {
    rte_eth_event_ipsec_desc desc{};
    desc.metadata = limits.notes[i].userdata;
    desc.subtype = limits.notes[i].limit;
    rte_eth_dev_callback_process(context.ethdev, RTE_ETH_EVENT_IPSEC, &desc);
  }
}

// 1. Frames that wait. 2. What workers have to tell of MACsec.
void NetDevice::serve() {
  // 1.
  {
    const std::lock_guard lock(queues_mutex_);
    for (const auto& queue : tx_)
      if (queue != nullptr) queue->help_if_idle();
  }
  // 2.
  std::array<rte_eth_event_macsec_desc, 32> events{};
  std::uint32_t count = 0;
  do {
    count = macsec_->take_events(events);
    for (std::uint32_t i = 0; i < count; ++i) rte_eth_dev_callback_process(port_, RTE_ETH_EVENT_MACSEC, &events[i]);
  } while (count == events.size());
}

// ---- control ----

// The engine has a queue for each of ours: a session's is the one that first used it.
int NetDevice::configure() {
  const rte_eth_dev_data& data = *port_->data;
  const std::uint32_t asked = data.nb_rx_queues + std::uint32_t{data.nb_tx_queues};
  if (asked > context_->options().queues) {
    log(Severity::error, "{}: {} receive and {} transmit queues, allowed: {} together; devarg queues allows more",
        name(), data.nb_rx_queues, data.nb_tx_queues, context_->options().queues);
    return -EINVAL;
  }
  for (std::uint16_t i = 0; i < rx_.size(); ++i) release_rx(i);
  for (std::uint16_t i = 0; i < tx_.size(); ++i) release_tx(i);
  rx_.resize(data.nb_rx_queues);
  const std::lock_guard lock(queues_mutex_);
  tx_.resize(data.nb_tx_queues);
  return lower_->configure(data.nb_rx_queues, data.nb_tx_queues, data.dev_conf);
}

int NetDevice::set_up_rx(std::uint16_t index, std::uint16_t descriptors, unsigned socket, const rte_eth_rxconf& conf,
                         rte_mempool* pool) {
  release_rx(index);
  if (const int code = lower_->set_up_rx(index, descriptors, socket, conf, pool); code != 0) return code;
  rx_[index] = RxQueue::make(*shared_, index, port_->data->nb_tx_queues + std::uint32_t{index}, frames_for(descriptors),
                             static_cast<int>(socket));
  if (rx_[index] == nullptr) return -ENOMEM;
  port_->data->rx_queues[index] = rx_[index].get();
  return 0;
}

int NetDevice::set_up_tx(std::uint16_t index, std::uint16_t descriptors, unsigned socket, const rte_eth_txconf& conf) {
  release_tx(index);
  if (const int code = lower_->set_up_tx(index, descriptors, socket, conf); code != 0) return code;
  auto made = TxQueue::make(*shared_, index, frames_for(descriptors), static_cast<int>(socket));
  if (made == nullptr) return -ENOMEM;
  port_->data->tx_queues[index] = made.get();
  const std::lock_guard lock(queues_mutex_);
  tx_[index] = std::move(made);
  return 0;
}

// The engine may still write into a queue that it has not given everything back of: such a one stays in memory.
void NetDevice::release_rx(std::uint16_t index) {
  if (index >= rx_.size() || rx_[index] == nullptr) return;
  if (!rx_[index]->settle()) {
    log(Severity::error, "{}: receive queue {}: the engine keeps frames; the queue stays in memory", name(), index);
    (void)rx_[index].release();
  }
  rx_[index].reset();
  if (index < port_->data->nb_rx_queues) port_->data->rx_queues[index] = nullptr;
}

void NetDevice::release_tx(std::uint16_t index) {
  if (index >= tx_.size() || tx_[index] == nullptr) return;
  if (index < rx_.size() && rx_[index] != nullptr) rx_[index]->set_beside(nullptr);
  std::unique_ptr<TxQueue> queue;
  {
    const std::lock_guard lock(queues_mutex_);
    queue = std::move(tx_[index]);
  }
  if (!queue->settle()) {
    log(Severity::error, "{}: transmit queue {}: the engine keeps frames; the queue stays in memory", name(), index);
    (void)queue.release();
  }
  if (index < port_->data->nb_tx_queues) port_->data->tx_queues[index] = nullptr;
}

int NetDevice::start() {
  if (gone()) return -ENODEV;
  for (std::size_t i = 0; i < rx_.size(); ++i)
    if (rx_[i] != nullptr) rx_[i]->set_beside(i < tx_.size() ? tx_[i].get() : nullptr);
  service_ = std::make_unique<ServiceThread>();
  if (!service_->start(serve_every, [this] { serve(); })) {
    service_.reset();
    return -ENOMEM;
  }
  const int code = lower_->start();
  if (code != 0)
    service_.reset();
  else
    update_link();
  return code;
}

// Nobody sends or receives any more. What is on its way out leaves, what is on its way in is dropped.
int NetDevice::stop() {
  service_.reset();
  bool all = true;
  for (const auto& queue : tx_) all = (queue == nullptr || queue->settle()) && all;
  for (const auto& queue : rx_) all = (queue == nullptr || queue->settle()) && all;
  const int code = lower_->stop();
  update_link();
  return all ? code : -EAGAIN;
}

}  // namespace linecrypt::dpdk
