// rte_security of the ethdev: IPsec sessions, inline protocol, and MACsec.
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "driver/dpdk/common/log.hpp"
#include "driver/dpdk/net/device.hpp"
#include "driver/dpdk/net/session_memory.hpp"

namespace linecrypt::dpdk {
namespace {

constexpr auto action = RTE_SECURITY_ACTION_TYPE_INLINE_PROTOCOL;
constexpr const char* iv_variable = "ETH_SEC_IV_OVR";

NetDevice& device_of(void* port) noexcept {
  return dpdk::device_of(static_cast<rte_eth_dev*>(port));
}

int refused(NetDevice& device, int code, const std::string& why) {
  log(Severity::notice, "{}: session refused: {}", device.name(), why);
  return code;
}

// "0x00, 0x01, ...": as many bytes as an IV has. The contract of the third-party suite for known answers.
bool read_given_iv(const char* text, std::array<std::uint8_t, 8>& iv) {
  std::string_view rest = text == nullptr ? "" : text;
  for (std::uint8_t& byte : iv) {
    const std::size_t at = rest.find("0x");
    if (at == std::string_view::npos) return false;
    rest.remove_prefix(at + 2);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), byte, 16);
    if (error != std::errc()) return false;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  }
  return true;
}

// 1. An SPI that another ingress session has is refused: packets find their session by it.
// 2. The session, and its IV where one is given. 3. Packets find it.
int create(void* port, rte_security_session_conf* conf, rte_security_session* session) {
  NetDevice& device = device_of(port);
  net_handle(session) = {};
  session->fast_mdata = 0;
  if (conf->protocol == RTE_SECURITY_PROTOCOL_MACSEC) return device.macsec().create(*conf, net_handle(session).macsec);
  EspHandle& handle = net_handle(session).esp;
  // 1.
  const bool ingress =
      conf->protocol == RTE_SECURITY_PROTOCOL_IPSEC && conf->ipsec.direction == RTE_SECURITY_IPSEC_SA_DIR_INGRESS;
  const std::uint32_t spi = conf->ipsec.spi;
  if (ingress && device.esp_steering().has_spi(spi))
    return refused(device, -EEXIST, fmt::format("ipsec.spi: {}: another ingress session has it", spi));
  // 2.
  std::array<std::uint8_t, 8> iv{};
  const bool has_iv = device.context().options().test_iv && read_given_iv(std::getenv(iv_variable), iv);
  if (const int code = device.esp_sessions().create(*conf, action, handle); code != 0) return code;
  if (handle.session->extras.given_iv) {
    if (!has_iv) {
      device.esp_sessions().destroy(handle);
      return refused(device, -EINVAL,
                     fmt::format("options.iv_gen_disable: 1, and the environment variable {} gives no IV; allowed: "
                                 "\"0x.., 0x.., \" with 8 bytes",
                                 iv_variable));
    }
    device.shared().given_ivs[handle.session->sa_index] = iv;
  }
  // 3.
  if (ingress && !device.esp_steering().add_session(spi, handle)) {
    device.esp_sessions().destroy(handle);
    return refused(device, -EEXIST, fmt::format("ipsec.spi: {}: another ingress session has it", spi));
  }
  if (!ingress) session->fast_mdata = metadata_of(handle);
  return 0;
}

int update(void* port, rte_security_session* session, rte_security_session_conf* conf) {
  if (session == nullptr || conf == nullptr) return -EINVAL;
  if (const MacsecHandle& macsec = net_handle(session).macsec; macsec.session != nullptr)
    return device_of(port).macsec().update(*conf, macsec);
  return device_of(port).esp_sessions().update(*conf, action, net_handle(session).esp);
}

// Packets do not find it any more, then it goes.
int destroy(void* port, rte_security_session* session) {
  if (session == nullptr) return -EINVAL;
  NetDevice& device = device_of(port);
  if (MacsecHandle& macsec = net_handle(session).macsec; macsec.session != nullptr)
    return device.macsec().destroy(macsec);
  EspHandle& handle = net_handle(session).esp;
  const EspSession* const found = EspSessions::find(handle);
  if (found == nullptr) return -EINVAL;
  session->fast_mdata = 0;
  if (!found->egress) device.esp_steering().remove_session(handle);
  return device.esp_sessions().destroy(handle);
}

unsigned size(void* /*port*/) {
  return sizeof(NetHandle);
}

int stats(void* port, rte_security_session* session, rte_security_stats* out) {
  // All sessions of a device together are not counted.
  if (session == nullptr || out == nullptr) return -EINVAL;
  if (const MacsecHandle& macsec = net_handle(session).macsec; macsec.session != nullptr) {
    *out = {};
    out->protocol = RTE_SECURITY_PROTOCOL_MACSEC;
    return device_of(port).macsec().stats(macsec, out->macsec);
  }
  return device_of(port).esp_sessions().stats(net_handle(session).esp, *out);
}

int set_metadata(void* /*port*/, rte_security_session* session, rte_mbuf* mbuf, void* /*parameters*/) {
  if (session == nullptr || mbuf == nullptr) return -EINVAL;
  *rte_security_dynfield(mbuf) = session->fast_mdata;
  return 0;
}

const rte_security_capability* capabilities(void* port) {
  return device_of(port).capabilities().security();
}

int create_sc(void* port, rte_security_macsec_sc* conf) {
  return conf == nullptr ? -EINVAL : device_of(port).macsec().create_sc(*conf);
}
int destroy_sc(void* port, std::uint16_t id) {
  return device_of(port).macsec().destroy_sc(id);
}
int sc_stats(void* port, std::uint16_t id, rte_security_macsec_sc_stats* out) {
  return out == nullptr ? -EINVAL : device_of(port).macsec().sc_stats(id, *out);
}
int create_sa(void* port, rte_security_macsec_sa* conf) {
  return conf == nullptr ? -EINVAL : device_of(port).macsec().create_sa(*conf);
}
int destroy_sa(void* port, std::uint16_t id) {
  return device_of(port).macsec().destroy_sa(id);
}
int sa_stats(void* port, std::uint16_t id, rte_security_macsec_sa_stats* out) {
  return out == nullptr ? -EINVAL : device_of(port).macsec().sa_stats(id, *out);
}

rte_security_ops make_operations() {
  rte_security_ops ops{};
  ops.session_create = create;
  ops.session_update = update;
  ops.session_get_size = size;
  ops.session_stats_get = stats;
  ops.session_destroy = destroy;
  ops.set_pkt_metadata = set_metadata;
  ops.capabilities_get = capabilities;
  ops.macsec_sc_create = create_sc;
  ops.macsec_sc_destroy = destroy_sc;
  ops.macsec_sc_stats_get = sc_stats;
  ops.macsec_sa_create = create_sa;
  ops.macsec_sa_destroy = destroy_sa;
  ops.macsec_sa_stats_get = sa_stats;
  return ops;
}

}  // namespace

const rte_security_ops* security_operations() noexcept {
  static const rte_security_ops operations = make_operations();
  return &operations;
}

}  // namespace linecrypt::dpdk
