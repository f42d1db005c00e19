// mbufs as Packets, and the copies where they are in several segments.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>

#include <cstdint>
#include <cstring>

#include "linecrypt/packet.hpp"

namespace linecrypt::dpdk {

// Precondition: one segment.
[[nodiscard]] inline Packet packet_of(rte_mbuf* mbuf) noexcept {
  Packet packet;
  packet.data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  packet.length = mbuf->data_len;
  packet.headroom = rte_pktmbuf_headroom(mbuf);
  packet.tailroom = rte_pktmbuf_tailroom(mbuf);
  return packet;
}

// Precondition: `packet` was made by packet_of(mbuf).
inline void apply(const Packet& packet, rte_mbuf* mbuf) noexcept {
  mbuf->data_off = static_cast<std::uint16_t>(packet.data - static_cast<std::uint8_t*>(mbuf->buf_addr));
  mbuf->data_len = static_cast<std::uint16_t>(packet.length);
  mbuf->pkt_len = packet.length;
}

// Nobody else looks at its segments, so they may be written into.
[[nodiscard]] inline bool is_exclusive(const rte_mbuf* mbuf) noexcept {
  for (; mbuf != nullptr; mbuf = mbuf->next)
    if (!RTE_MBUF_DIRECT(mbuf) || rte_mbuf_refcnt_read(mbuf) != 1) return false;
  return true;
}

// Copies `length` bytes from `offset` on. False: the chain has not so many.
[[nodiscard]] inline bool gather(const rte_mbuf* mbuf, std::uint32_t offset, std::uint32_t length,
                                 std::uint8_t* out) noexcept {
  while (mbuf != nullptr && offset >= mbuf->data_len) {
    offset -= mbuf->data_len;
    mbuf = mbuf->next;
  }
  for (; length != 0; mbuf = mbuf->next, offset = 0) {
    if (mbuf == nullptr) return false;
    const std::uint32_t count = std::min<std::uint32_t>(length, mbuf->data_len - offset);
    std::memcpy(out, rte_pktmbuf_mtod_offset(mbuf, const std::uint8_t*, offset), count);
    out += count;
    length -= count;
  }
  return true;
}

// Copies `length` bytes over what the chain holds from `offset` on; its shape stays. False: it has not so many.
[[nodiscard]] inline bool overwrite(rte_mbuf* mbuf, std::uint32_t offset, std::uint32_t length,
                                    const std::uint8_t* in) noexcept {
  while (mbuf != nullptr && offset >= mbuf->data_len) {
    offset -= mbuf->data_len;
    mbuf = mbuf->next;
  }
  for (; length != 0; mbuf = mbuf->next, offset = 0) {
    if (mbuf == nullptr) return false;
    const std::uint32_t count = std::min<std::uint32_t>(length, mbuf->data_len - offset);
    std::memcpy(rte_pktmbuf_mtod_offset(mbuf, std::uint8_t*, offset), in, count);
    in += count;
    length -= count;
  }
  return true;
}

// Bytes that the chain's segments could hold from the first one's data on.
[[nodiscard]] inline std::uint32_t room_of(const rte_mbuf* mbuf) noexcept {
  std::uint32_t room = 0;
  for (; mbuf != nullptr; mbuf = mbuf->next) room += static_cast<std::uint32_t>(mbuf->buf_len - mbuf->data_off);
  return room;
}

// The chain becomes the packet of `length` bytes: segments are filled one after the other, those left over are freed.
// False: it has no room, and is as it was.
[[nodiscard]] inline bool become(rte_mbuf* first, const std::uint8_t* in, std::uint32_t length) noexcept {
  // Room in front is used where the packet would not fit otherwise.
  const auto headroom = static_cast<std::uint32_t>(rte_pktmbuf_headroom(first));
  const std::uint32_t room = room_of(first);
  if (length > room + headroom) return false;
  if (length > room) {
    const std::uint32_t shift = length - room;
    first->data_off = static_cast<std::uint16_t>(first->data_off - shift);
  }
  std::uint16_t segments = 0;
  rte_mbuf* segment = first;
  std::uint32_t left = length;
  for (;;) {
    const std::uint32_t count =
        std::min<std::uint32_t>(left, static_cast<std::uint32_t>(segment->buf_len - segment->data_off));
    std::memcpy(rte_pktmbuf_mtod(segment, std::uint8_t*), in, count);
    segment->data_len = static_cast<std::uint16_t>(count);
    in += count;
    left -= count;
    ++segments;
    if (left == 0) break;
    segment = segment->next;
  }
  if (segment->next != nullptr) {
    rte_pktmbuf_free(segment->next);
    segment->next = nullptr;
  }
  first->nb_segs = segments;
  first->pkt_len = length;
  return true;
}

}  // namespace linecrypt::dpdk
