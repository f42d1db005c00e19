// MacsecMatch: the pattern of an rte_flow rule of MACsec: an ETH item and up to two VLAN items, each with its masks.
#pragma once

#include <rte_flow.h>

#include <array>
#include <cstdint>

#include "driver/dpdk/net/macsec_frame.hpp"

namespace linecrypt::dpdk {

struct MacsecMatch {
  // A field that is compared where its mask has bits.
  template <typename Value>
  struct Masked {
    Value value = 0;
    Value mask = 0;
    [[nodiscard]] bool holds(Value found) const noexcept { return (found & mask) == value; }
  };
  struct Vlan {
    Masked<std::uint16_t> tci;
    Masked<std::uint16_t> type;  // behind the tag
    Masked<std::uint32_t> more;  // another tag behind it: 0 or 1
  };

  bool any = true;               // every frame
  Masked<std::uint64_t> first;   // octets 0 to 7
  Masked<std::uint64_t> second;  // octets 6 to 13: of those only 8 to 13
  Masked<std::uint32_t> tagged;  // 0 or 1
  std::uint32_t vlans = 0;
  std::array<Vlan, wire::macsec_clear_tags_largest> vlan{};

  [[nodiscard]] bool holds(const FrameHead& head) const noexcept {
    if (any) return true;
    if (head.tags < vlans || !first.holds(wire::load64(head.data)) || !second.holds(wire::load64(head.data + 6)) ||
        !tagged.holds(head.tags != 0 ? 1 : 0))
      return false;
    for (std::uint32_t i = 0; i < vlans; ++i) {
      const std::uint8_t* const tag = head.data + wire::macsec_addresses_size + i * wire::vlan_tag_size;
      if (!vlan[i].tci.holds(wire::load16(tag + 2)) || !vlan[i].type.holds(wire::load16(tag + 4)) ||
          !vlan[i].more.holds(head.tags > i + 1 ? 1 : 0))
        return false;
    }
    return true;
  }
};

// 0, or a negative errno with `error` filled (which may be null): the item that is wrong, and what is allowed.
int read_match(const rte_flow_item* pattern, MacsecMatch& out, rte_flow_error* error);

}  // namespace linecrypt::dpdk
