// Packet buffers: one mempool of mbufs for all ports, with a Frame in each mbuf's private area, so that a burst costs
// no allocation and no conversion but a few stores.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "host/config/config.hpp"
#include "host/gateway/pipeline/frame.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway {

// What both layers may put before an IP packet at most: outer IPv6 40, UDP 8, ESP header and IV 16, two VLAN tags 8,
// SecTAG with SCI 16.
inline constexpr std::uint32_t headroom_needed = 40 + 8 + 16 + 8 + 16;
static_assert(headroom_needed <= RTE_PKTMBUF_HEADROOM, "drivers place received frames at RTE_PKTMBUF_HEADROOM");
// And behind it: ESP padding, trailer and ICV, MACsec ICV. TFC padding stays within the MTU.
inline constexpr std::uint32_t tailroom_needed = 3 + 2 + 16 + 16;

// Bytes behind the Ethernet header that this port sends or receives at most.
[[nodiscard]] std::uint32_t payload_mtu(const config::Config& config, const config::Port& port) noexcept;
// The whole frame.
[[nodiscard]] std::uint32_t longest_frame(const config::Config& config, const config::Port& port) noexcept;
// af_packet's ring frame for it: a power of two that also holds the kernel's own header. 9216 -> 16 KiB.
[[nodiscard]] std::uint32_t ring_frame_size(std::uint32_t longest) noexcept;

class Buffers {
 public:
  // Sized after the ports' MTUs; an error names how much memory the buffers need when there is not enough.
  static Result<Buffers> make(const config::Config& config);
  Buffers(Buffers&& other) noexcept;
  Buffers& operator=(Buffers&&) = delete;
  ~Buffers();
  [[nodiscard]] rte_mempool* pool() const noexcept { return pool_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept;
  [[nodiscard]] std::uint32_t available() const noexcept;

 private:
  explicit Buffers(rte_mempool* pool) : pool_(pool) {}
  rte_mempool* pool_;
};

[[nodiscard]] inline Frame* frame_of(rte_mbuf* mbuf) noexcept {
  return static_cast<Frame*>(rte_mbuf_to_priv(mbuf));
}
[[nodiscard]] inline rte_mbuf* mbuf_of(const Frame* frame) noexcept {
  return static_cast<rte_mbuf*>(frame->buffer);
}

// The frame as the pipeline takes it, from an mbuf as a driver gave it (one segment).
inline Frame* load_frame(rte_mbuf* mbuf) noexcept {
  Frame* frame = frame_of(mbuf);
  *frame = Frame{};
  frame->buffer = mbuf;
  frame->packet.data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  frame->packet.length = rte_pktmbuf_data_len(mbuf);
  frame->packet.headroom = rte_pktmbuf_headroom(mbuf);
  frame->packet.tailroom = rte_pktmbuf_tailroom(mbuf);
  frame->wire_length = frame->packet.length;
  return frame;
}

// The way back: the mbuf takes over where the packet now begins and ends.
inline rte_mbuf* store_frame(Frame* frame) noexcept {
  rte_mbuf* mbuf = mbuf_of(frame);
  mbuf->data_off = static_cast<std::uint16_t>(frame->packet.data - static_cast<const std::uint8_t*>(mbuf->buf_addr));
  mbuf->data_len = static_cast<std::uint16_t>(frame->packet.length);
  mbuf->pkt_len = frame->packet.length;
  mbuf->nb_segs = 1;
  mbuf->next = nullptr;
  mbuf->ol_flags = 0;
  return mbuf;
}

}  // namespace linecrypt::gateway
