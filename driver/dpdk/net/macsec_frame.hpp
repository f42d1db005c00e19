// The front of a frame as rules and the data path look at it: addresses, VLAN tags, and the EtherType behind them.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "driver/dpdk/common/mbuf.hpp"
#include "linecrypt/wire/ethernet.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::dpdk {

struct FrameHead {
  // Addresses, two VLAN tags and a SecTAG with its SCI.
  static constexpr std::uint32_t most =
      wire::macsec_addresses_size + wire::macsec_clear_tags_largest * wire::vlan_tag_size + wire::sectag_size_largest;

  const std::uint8_t* data = nullptr;
  std::uint32_t length = 0;  // of the whole frame; at `data` are at least `most` bytes of it, or all
  std::uint32_t tags = 0;    // VLAN tags in front, two at most

  // Where the EtherType is that is no VLAN tag's, and whose bytes are there.
  [[nodiscard]] std::uint32_t offset() const noexcept {
    return wire::macsec_addresses_size + tags * wire::vlan_tag_size;
  }
  [[nodiscard]] std::uint16_t type() const noexcept { return wire::load16(data + offset()); }
};

using HeadScratch = std::array<std::uint8_t, FrameHead::most>;

// A frame in short segments is read through `scratch`. False: it has no Ethernet header.
[[nodiscard]] inline bool read_head(const rte_mbuf* mbuf, HeadScratch& scratch, FrameHead& head) noexcept {
  head.length = mbuf->pkt_len;
  if (head.length < wire::ethernet_size) return false;
  const std::uint32_t wanted = std::min(head.length, FrameHead::most);
  head.data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  if (mbuf->data_len < wanted) {
    if (!gather(mbuf, 0, wanted, scratch.data())) return false;
    head.data = scratch.data();
  }
  head.tags = 0;
  while (head.tags < wire::macsec_clear_tags_largest && wire::is_vlan(head.type()) &&
         head.length >= head.offset() + wire::vlan_tag_size + 2)
    ++head.tags;
  return true;
}

}  // namespace linecrypt::dpdk
