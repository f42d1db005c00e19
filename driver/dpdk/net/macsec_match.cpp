#include "driver/dpdk/net/macsec_match.hpp"

#include <rte_flow_driver.h>

#include <cerrno>
#include <cstring>

namespace linecrypt::dpdk {
namespace {

// What an item without a mask compares (rte_flow.h): both addresses; the VLAN's id.
rte_flow_item_eth eth_default() noexcept {
  rte_flow_item_eth mask;
  std::memset(&mask, 0, sizeof mask);
  std::memset(&mask.hdr.dst_addr, 0xff, sizeof mask.hdr.dst_addr);
  std::memset(&mask.hdr.src_addr, 0xff, sizeof mask.hdr.src_addr);
  return mask;
}
rte_flow_item_vlan vlan_default() noexcept {
  rte_flow_item_vlan mask;
  std::memset(&mask, 0, sizeof mask);
  wire::store16(reinterpret_cast<std::uint8_t*>(&mask.hdr.vlan_tci), 0x0fff);
  return mask;
}

// An item's spec and mask; without a spec nothing is compared.
template <typename Item>
void take(const rte_flow_item& item, const Item& mask_default, Item& spec, Item& mask) noexcept {
  std::memset(&spec, 0, sizeof spec);
  std::memset(&mask, 0, sizeof mask);
  if (item.spec == nullptr) return;
  std::memcpy(&spec, item.spec, sizeof spec);
  std::memcpy(&mask, item.mask != nullptr ? item.mask : &mask_default, sizeof mask);
}

template <typename Value>
MacsecMatch::Masked<Value> masked(Value value, Value mask) noexcept {
  return {static_cast<Value>(value & mask), mask};
}

void read_eth(const rte_flow_item& item, MacsecMatch& out) noexcept {
  rte_flow_item_eth spec;
  rte_flow_item_eth mask;
  take(item, eth_default(), spec, mask);
  const auto* const value = reinterpret_cast<const std::uint8_t*>(&spec.hdr);
  const auto* const bits = reinterpret_cast<const std::uint8_t*>(&mask.hdr);
  out.first = masked(wire::load64(value), wire::load64(bits));
  // Octets 6 and 7 are in both words: compared once.
  out.second = masked(wire::load64(value + 6), wire::load64(bits + 6) & 0x0000ffffffffffffU);
  out.tagged = masked<std::uint32_t>(spec.has_vlan, mask.has_vlan);
}

void read_vlan(const rte_flow_item& item, MacsecMatch::Vlan& out) noexcept {
  rte_flow_item_vlan spec;
  rte_flow_item_vlan mask;
  take(item, vlan_default(), spec, mask);
  const auto* const value = reinterpret_cast<const std::uint8_t*>(&spec.hdr);
  const auto* const bits = reinterpret_cast<const std::uint8_t*>(&mask.hdr);
  out.tci = masked(wire::load16(value), wire::load16(bits));
  out.type = masked(wire::load16(value + 2), wire::load16(bits + 2));
  out.more = masked<std::uint32_t>(spec.has_more_vlan, mask.has_more_vlan);
}

}  // namespace

// 1. Items come in order: ETH, then VLANs. 2. What is compared.
int read_match(const rte_flow_item* pattern, MacsecMatch& out, rte_flow_error* error) {
  const auto refuse = [&](const rte_flow_item* item, const char* why) {
    return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, item, why);
  };
  out = {};
  if (pattern == nullptr)
    return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_NUM, nullptr,
                              "pattern: none; allowed: ETH and up to two VLAN items");
  bool has_eth = false;
  for (const rte_flow_item* item = pattern; item->type != RTE_FLOW_ITEM_TYPE_END; ++item) {
    if (item->type == RTE_FLOW_ITEM_TYPE_VOID) continue;
    if (item->last != nullptr) return refuse(item, "pattern: an item with a range (last); allowed: spec and mask");
    // 1.
    if (item->type == RTE_FLOW_ITEM_TYPE_ETH && !has_eth && out.vlans == 0) {
      has_eth = true;
      read_eth(*item, out);
    } else if (item->type == RTE_FLOW_ITEM_TYPE_VLAN && out.vlans < out.vlan.size()) {
      read_vlan(*item, out.vlan[out.vlans++]);
    } else {
      return refuse(item, "pattern: an item that MACsec rules do not have; allowed: ETH and up to two VLAN items");
    }
  }
  // 2.
  out.any = out.first.mask == 0 && out.second.mask == 0 && out.tagged.mask == 0 && out.vlans == 0;
  return 0;
}

}  // namespace linecrypt::dpdk
