#include "driver/dpdk/crypto/device.hpp"

#include <cerrno>

#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/crypto/session_memory.hpp"

namespace linecrypt::dpdk {
namespace {

QueuePair*& pair_at(const rte_cryptodev* dev, std::uint16_t index) noexcept {
  return reinterpret_cast<QueuePair*&>(dev->data->queue_pairs[index]);
}

// ---- device ----

// More queue pairs than the engine has queues are refused by the library, from what infos() says.
int configure(rte_cryptodev* /*dev*/, rte_cryptodev_config* /*config*/) {
  return 0;
}

int start(rte_cryptodev* /*dev*/) {
  return 0;
}

void stop(rte_cryptodev* /*dev*/) {}

void infos(rte_cryptodev* dev, rte_cryptodev_info* info) {
  const CryptoDevice& device = device_of(dev);
  info->driver_id = dev->driver_id;
  info->feature_flags = dev->feature_flags;
  info->capabilities = device.capabilities->crypto();
  info->max_nb_queue_pairs = device.context->options().queues;
  info->sym.max_nb_sessions = device.context->max_sas();
  // With less, an op goes through a buffer of the queue pair's.
  info->min_mbuf_headroom_req = esp_front_most;
  info->min_mbuf_tailroom_req = esp_behind_most;
}

void stats(rte_cryptodev* dev, rte_cryptodev_stats* out) {
  for (std::uint16_t i = 0; i < dev->data->nb_queue_pairs; ++i) {
    const QueuePair* const pair = pair_at(dev, i);
    if (pair == nullptr) continue;
    const QueuePairCounts counts = pair->counts();
    out->enqueued_count += counts.enqueued;
    out->dequeued_count += counts.dequeued;
    out->enqueue_err_count += counts.enqueue_refused;
    out->dequeue_err_count += counts.dequeued_failed;
  }
}

void reset_stats(rte_cryptodev* dev) {
  for (std::uint16_t i = 0; i < dev->data->nb_queue_pairs; ++i)
    if (QueuePair* const pair = pair_at(dev, i); pair != nullptr) pair->reset_counts();
}

// ---- queue pairs ----

// What is inside the engine comes out first: it writes into our records until then.
int release_pair(rte_cryptodev* dev, std::uint16_t index) {
  QueuePair*& pair = pair_at(dev, index);
  if (pair == nullptr) return 0;
  if (!pair->settle()) return -EAGAIN;
  delete pair;
  pair = nullptr;
  return 0;
}

int set_up_pair(rte_cryptodev* dev, std::uint16_t index, const rte_cryptodev_qp_conf* conf, int socket) {
  CryptoDevice& device = device_of(dev);
  if (conf->nb_descriptors == 0 || conf->nb_descriptors > QueuePair::descriptors_most) {
    log(Severity::error, "{}: queue pair {}: nb_descriptors {}, allowed: 1 to {}", device.context->name(), index,
        conf->nb_descriptors, QueuePair::descriptors_most);
    return -EINVAL;
  }
  if (const int code = release_pair(dev, index); code != 0) return code;
  std::unique_ptr<QueuePair> made =
      QueuePair::make(index, conf->nb_descriptors, socket, *device.esp_sessions, *device.aead_sessions);
  if (made == nullptr) {
    log(Severity::error, "{}: queue pair {}: no memory", device.context->name(), index);
    return -ENOMEM;
  }
  pair_at(dev, index) = made.release();
  return 0;
}

int close(rte_cryptodev* dev) {
  for (std::uint16_t i = 0; i < dev->data->nb_queue_pairs; ++i)
    if (const int code = release_pair(dev, i); code != 0) return code;
  return 0;
}

// ---- sessions ----

unsigned session_size(rte_cryptodev* /*dev*/) {
  return sizeof(AeadHandle);
}

int configure_session(rte_cryptodev* dev, rte_crypto_sym_xform* xform, rte_cryptodev_sym_session* session) {
  CryptoDevice& device = device_of(dev);
  std::string why;
  const int code = device.aead_sessions->create(xform, aead_handle(session), why);
  if (code != 0) log(Severity::notice, "{}: session refused: {}", device.context->name(), why);
  return code;
}

void clear_session(rte_cryptodev* dev, rte_cryptodev_sym_session* session) {
  device_of(dev).aead_sessions->destroy(aead_handle(session));
}

rte_cryptodev_ops make_operations() {
  rte_cryptodev_ops ops{};
  ops.dev_configure = configure;
  ops.dev_start = start;
  ops.dev_stop = stop;
  ops.dev_close = close;
  ops.dev_infos_get = infos;
  ops.stats_get = stats;
  ops.stats_reset = reset_stats;
  ops.queue_pair_setup = set_up_pair;
  ops.queue_pair_release = release_pair;
  ops.sym_session_get_size = session_size;
  ops.sym_session_configure = configure_session;
  ops.sym_session_clear = clear_session;
  return ops;
}

}  // namespace

Result<std::unique_ptr<CryptoDevice>> CryptoDevice::make(const std::string& name, const DriverOptions& options) {
  auto device = std::make_unique<CryptoDevice>();
  auto context = DeviceContext::open(name, options);
  if (!context) return context.error();
  device->context = std::move(context).value();
  auto esp = EspSessions::make(*device->context);
  if (!esp) return esp.error();
  device->esp_sessions = std::move(esp).value();
  auto aead = AeadSessions::make(options.provider, device->context->max_sas());
  if (!aead) return aead.error();
  device->aead_sessions = std::move(aead).value();
  device->capabilities = std::make_unique<CryptoCapabilities>(device->context->capabilities(), options);
  device->security.ops = security_operations();
  return device;
}

std::uint64_t feature_flags(const CryptoDevice& device) {
  std::uint64_t flags = RTE_CRYPTODEV_FF_SYMMETRIC_CRYPTO | RTE_CRYPTODEV_FF_SYM_OPERATION_CHAINING |
                        RTE_CRYPTODEV_FF_IN_PLACE_SGL | RTE_CRYPTODEV_FF_OOP_LB_IN_LB_OUT |
                        RTE_CRYPTODEV_FF_OOP_LB_IN_SGL_OUT | RTE_CRYPTODEV_FF_OOP_SGL_IN_LB_OUT |
                        RTE_CRYPTODEV_FF_OOP_SGL_IN_SGL_OUT;
  if (device.aead_sessions->sessionless()) flags |= RTE_CRYPTODEV_FF_SYM_SESSIONLESS;
  if (device.context->capabilities().esp) flags |= RTE_CRYPTODEV_FF_SECURITY | RTE_CRYPTODEV_FF_SECURITY_INNER_CSUM;
  if (device.context->has_card()) flags |= RTE_CRYPTODEV_FF_HW_ACCELERATED;
  return flags;
}

rte_cryptodev_ops* device_operations() noexcept {
  static rte_cryptodev_ops operations = make_operations();
  return &operations;
}

std::uint16_t enqueue_burst(void* queue_pair, rte_crypto_op** ops, std::uint16_t count) {
  return static_cast<QueuePair*>(queue_pair)->enqueue(ops, count);
}

std::uint16_t dequeue_burst(void* queue_pair, rte_crypto_op** ops, std::uint16_t count) {
  return static_cast<QueuePair*>(queue_pair)->dequeue(ops, count);
}

}  // namespace linecrypt::dpdk
