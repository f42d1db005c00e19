// rte_security of the cryptodev: IPsec sessions, look-aside protocol.
#include <cerrno>

#include "driver/dpdk/crypto/device.hpp"
#include "driver/dpdk/crypto/session_memory.hpp"

namespace linecrypt::dpdk {
namespace {

constexpr auto action = RTE_SECURITY_ACTION_TYPE_LOOKASIDE_PROTOCOL;

EspSessions& sessions_of(void* dev) noexcept {
  return *device_of(static_cast<rte_cryptodev*>(dev)).esp_sessions;
}

int create(void* dev, rte_security_session_conf* conf, rte_security_session* session) {
  return sessions_of(dev).create(*conf, action, esp_handle(session));
}

int update(void* dev, rte_security_session* session, rte_security_session_conf* conf) {
  if (session == nullptr || conf == nullptr) return -EINVAL;
  return sessions_of(dev).update(*conf, action, esp_handle(session));
}

int destroy(void* dev, rte_security_session* session) {
  if (session == nullptr) return -EINVAL;
  return sessions_of(dev).destroy(esp_handle(session));
}

int stats(void* dev, rte_security_session* session, rte_security_stats* out) {
  // All sessions of a device together are not counted.
  if (session == nullptr || out == nullptr) return -EINVAL;
  return sessions_of(dev).stats(esp_handle(session), *out);
}

unsigned size(void* /*dev*/) {
  return sizeof(EspHandle);
}

const rte_security_capability* capabilities(void* dev) {
  return device_of(static_cast<rte_cryptodev*>(dev)).capabilities->security();
}

rte_security_ops make_operations() {
  rte_security_ops ops{};
  ops.session_create = create;
  ops.session_update = update;
  ops.session_get_size = size;
  ops.session_stats_get = stats;
  ops.session_destroy = destroy;
  ops.capabilities_get = capabilities;
  return ops;
}

}  // namespace

const rte_security_ops* security_operations() noexcept {
  static const rte_security_ops operations = make_operations();
  return &operations;
}

}  // namespace linecrypt::dpdk
