// rte_flow of the ethdev: which ESP packets are decrypted, and which frames MACsec protects and validates. What is not
// done is refused by its name.
#include <rte_flow_driver.h>

#include <algorithm>
#include <cerrno>

#include "driver/dpdk/net/device.hpp"
#include "driver/dpdk/net/session_memory.hpp"
#include "linecrypt/wire/endian.hpp"

namespace linecrypt::dpdk {
namespace {

// What a rule comes to.
struct Asked {
  EspMatch match;
  bool counts = false;
};

int refuse(rte_flow_error* error, rte_flow_error_type type, const void* cause, const char* words) {
  return rte_flow_error_set(error, ENOTSUP, type, cause, words);
}

bool is_zero(const void* bytes, std::size_t size) {
  const auto* const first = static_cast<const std::uint8_t*>(bytes);
  return std::all_of(first, first + size, [](std::uint8_t byte) { return byte == 0; });
}

// Headers before ESP say what kind of packet, not which one: that is the SPI's and the session's.
template <typename Item>
bool says_nothing(const rte_flow_item& item) {
  return item.spec == nullptr || (item.mask != nullptr && is_zero(item.mask, sizeof(Item)));
}

int read_attributes(const rte_flow_attr* attr, rte_flow_error* error) {
  if (attr == nullptr || attr->ingress == 0 || attr->egress != 0)
    return refuse(error, RTE_FLOW_ERROR_TYPE_ATTR_INGRESS, attr, "an ESP rule is for ingress");
  if (attr->group != 0) return refuse(error, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, attr, "group: allowed: 0");
  if (attr->priority != 0) return refuse(error, RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY, attr, "priority: allowed: 0");
  if (attr->transfer != 0) return refuse(error, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER, attr, "transfer: allowed: 0");
  return 0;
}

int read_esp(const rte_flow_item& item, EspMatch& match, rte_flow_error* error) {
  if (item.spec == nullptr) return 0;
  const auto& spec = *static_cast<const rte_flow_item_esp*>(item.spec);
  // rte_flow's own for this item: the SPI.
  rte_flow_item_esp mask{};
  mask.hdr.spi = 0xffffffffU;
  if (item.mask != nullptr) mask = *static_cast<const rte_flow_item_esp*>(item.mask);
  if (mask.hdr.seq != 0)
    return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &item, "ESP sequence number: allowed: any (mask 0)");
  if (mask.hdr.spi == 0) return 0;
  if (mask.hdr.spi != 0xffffffffU)
    return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &item,
                  "ESP SPI: allowed: a whole one (mask 0xffffffff) or any");
  match.spi = wire::load32(reinterpret_cast<const std::uint8_t*>(&spec.hdr.spi));
  return 0;
}

// [ETH] [IPV4 | IPV6] [UDP] ESP
int read_pattern(const rte_flow_item* pattern, EspMatch& match, rte_flow_error* error) {
  int before = 0;  // how far the headers have come: Ethernet 1, IP 2, UDP 3, ESP 4
  const auto in_order = [&before](int layer) { return std::exchange(before, layer) < layer; };
  for (const rte_flow_item* item = pattern; item->type != RTE_FLOW_ITEM_TYPE_END; ++item) {
    if (item->type == RTE_FLOW_ITEM_TYPE_VOID) continue;
    if (item->last != nullptr)
      return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM_LAST, item, "a range is not matched; allowed: last NULL");
    bool nothing = true;
    int layer = 0;
    switch (item->type) {
      case RTE_FLOW_ITEM_TYPE_ETH:
        layer = 1;
        nothing = says_nothing<rte_flow_item_eth>(*item);
        break;
      case RTE_FLOW_ITEM_TYPE_IPV4:
        layer = 2;
        nothing = says_nothing<rte_flow_item_ipv4>(*item);
        match.ipv6 = false;
        break;
      case RTE_FLOW_ITEM_TYPE_IPV6:
        layer = 2;
        nothing = says_nothing<rte_flow_item_ipv6>(*item);
        match.ipv4 = false;
        break;
      case RTE_FLOW_ITEM_TYPE_UDP:
        layer = 3;
        nothing = says_nothing<rte_flow_item_udp>(*item);
        match.udp_only = true;
        break;
      case RTE_FLOW_ITEM_TYPE_ESP:
        layer = 4;
        if (const int code = read_esp(*item, match, error); code != 0) return code;
        break;
      default:
        return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM, item, "allowed: [ETH] [IPV4 | IPV6] [UDP] ESP");
    }
    if (!in_order(layer))
      return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM, item, "in this order: [ETH] [IPV4 | IPV6] [UDP] ESP");
    if (!nothing)
      return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, item,
                    "addresses, types and ports are not matched: sessions compare them (tunnel_hdr_verify, "
                    "udp_ports_verify); allowed: spec NULL or mask 0");
  }
  if (before != 4) return refuse(error, RTE_FLOW_ERROR_TYPE_ITEM, pattern, "without ESP; allowed: it at the end");
  return 0;
}

// [COUNT] SECURITY, of one session or (NULL) of all.
int read_actions(NetDevice& device, const rte_flow_action* actions, Asked& asked, rte_flow_error* error) {
  bool secures = false;
  for (const rte_flow_action* action = actions; action->type != RTE_FLOW_ACTION_TYPE_END; ++action) {
    if (action->type == RTE_FLOW_ACTION_TYPE_VOID) continue;
    if (action->type == RTE_FLOW_ACTION_TYPE_COUNT) {
      asked.counts = true;
      continue;
    }
    if (action->type != RTE_FLOW_ACTION_TYPE_SECURITY || secures)
      return refuse(error, RTE_FLOW_ERROR_TYPE_ACTION, action, "allowed: SECURITY, once, and COUNT");
    secures = true;
    if (action->conf == nullptr) continue;
    const EspHandle& handle = net_handle(const_cast<void*>(action->conf)).esp;
    const EspSession* const session = EspSessions::find(handle);
    if (session == nullptr)
      return refuse(error, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action, "no session of this device; allowed: one, or NULL");
    if (session->egress)
      return refuse(error, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action, "an egress session; allowed: ingress");
    if (asked.match.spi && device.esp_steering().spi_of(handle) != asked.match.spi)
      return refuse(error, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action, "the session has another SPI than the pattern");
    asked.match.session = handle;
  }
  if (!secures) return refuse(error, RTE_FLOW_ERROR_TYPE_ACTION, actions, "without SECURITY; allowed: it, once");
  return 0;
}

int read_rule(rte_eth_dev* port, const rte_flow_attr* attr, const rte_flow_item* pattern,
              const rte_flow_action* actions, Asked& asked, rte_flow_error* error) {
  if (pattern == nullptr || actions == nullptr)
    return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, nullptr, "no pattern or no actions");
  if (const int code = read_attributes(attr, error); code != 0) return code;
  if (const int code = read_pattern(pattern, asked.match, error); code != 0) return code;
  return read_actions(device_of(port), actions, asked, error);
}

// The MACsec session whose rule this is; none: it is no rule of MACsec.
const MacsecHandle* macsec_of(const rte_flow_action* actions) {
  for (const rte_flow_action* action = actions; action != nullptr && action->type != RTE_FLOW_ACTION_TYPE_END;
       ++action) {
    if (action->type != RTE_FLOW_ACTION_TYPE_SECURITY || action->conf == nullptr) continue;
    const MacsecHandle& handle = net_handle(const_cast<void*>(action->conf)).macsec;
    return handle.session != nullptr ? &handle : nullptr;
  }
  return nullptr;
}

int validate(rte_eth_dev* port, const rte_flow_attr* attr, const rte_flow_item* pattern, const rte_flow_action* actions,
             rte_flow_error* error) {
  if (const MacsecHandle* const macsec = macsec_of(actions); macsec != nullptr && attr != nullptr && pattern != nullptr)
    return device_of(port).macsec().check_rule(*attr, pattern, *macsec, error);
  Asked asked;
  return read_rule(port, attr, pattern, actions, asked, error);
}

rte_flow* create(rte_eth_dev* port, const rte_flow_attr* attr, const rte_flow_item* pattern,
                 const rte_flow_action* actions, rte_flow_error* error) {
  NetDevice& device = device_of(port);
  auto rule = std::make_unique<NetRule>();
  if (const MacsecHandle* const macsec = macsec_of(actions);
      macsec != nullptr && attr != nullptr && pattern != nullptr) {
    rule->macsec = device.macsec().add_rule(*attr, pattern, *macsec, error);
    if (rule->macsec == nullptr) return nullptr;
  } else {
    Asked asked;
    if (read_rule(port, attr, pattern, actions, asked, error) != 0) return nullptr;
    rule->esp = device.esp_steering().add_rule(asked.match, asked.counts);
  }
  device.rules().push_back(std::move(rule));
  return reinterpret_cast<rte_flow*>(device.rules().back().get());
}

// Its place among the rules; the end: it is none of ours.
auto place_of(NetDevice& device, const rte_flow* flow) {
  auto& rules = device.rules();
  return std::find_if(rules.begin(), rules.end(),
                      [flow](const auto& one) { return reinterpret_cast<const rte_flow*>(one.get()) == flow; });
}

void remove(NetDevice& device, const NetRule& rule) {
  if (rule.macsec != nullptr)
    device.macsec().remove_rule(rule.macsec);
  else
    device.esp_steering().remove_rule(rule.esp);
}

int destroy(rte_eth_dev* port, rte_flow* flow, rte_flow_error* error) {
  NetDevice& device = device_of(port);
  const auto place = place_of(device, flow);
  if (place == device.rules().end())
    return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow, "no rule of this device");
  remove(device, **place);
  device.rules().erase(place);
  return 0;
}

int flush(rte_eth_dev* port, rte_flow_error* /*error*/) {
  NetDevice& device = device_of(port);
  for (const auto& rule : device.rules()) remove(device, *rule);
  device.rules().clear();
  return 0;
}

int query(rte_eth_dev* port, rte_flow* flow, const rte_flow_action* action, void* data, rte_flow_error* error) {
  if (action == nullptr || action->type != RTE_FLOW_ACTION_TYPE_COUNT || data == nullptr)
    return refuse(error, RTE_FLOW_ERROR_TYPE_ACTION, action, "allowed: COUNT");
  NetDevice& device = device_of(port);
  const auto place = place_of(device, flow);
  auto& out = *static_cast<rte_flow_query_count*>(data);
  std::optional<EspSteering::Hits> hits;
  if (place != device.rules().end() && (*place)->esp != nullptr)
    hits = device.esp_steering().hits((*place)->esp, out.reset != 0);
  if (!hits)
    return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
                              "no ESP rule of this device with COUNT; MACsec counts by SC");
  out.hits_set = out.bytes_set = 1;
  out.hits = hits->packets;
  out.bytes = hits->bytes;
  return 0;
}

rte_flow_ops make_operations() {
  rte_flow_ops ops{};
  ops.validate = validate;
  ops.create = create;
  ops.destroy = destroy;
  ops.flush = flush;
  ops.query = query;
  return ops;
}

}  // namespace

const rte_flow_ops* flow_operations() noexcept {
  static const rte_flow_ops operations = make_operations();
  return &operations;
}

}  // namespace linecrypt::dpdk
