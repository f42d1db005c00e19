#include "host/gateway/ports/port_io.hpp"

#include <algorithm>
#include <array>

namespace linecrypt::gateway {

// Steps: frames into mbufs in bursts; the first that the wire cannot take ends the call.
std::uint32_t PortIo::transmit(PortIndex index, std::span<Frame* const> frames) {
  Port& out = *ports_[index];
  used_ |= std::uint64_t{1} << (index % 64U);
  std::uint32_t sent = 0;
  while (sent < frames.size()) {
    std::array<rte_mbuf*, burst_size> mbufs{};
    std::uint32_t count = 0;
    for (; count < burst_size && sent + count < frames.size(); ++count) {
      Frame* frame = frames[sent + count];
      if (frame->packet.length > out.longest) {
        out.refused_length.add();
        break;
      }
      mbufs[count] = store_frame(frame);
    }
    if (count == 0) break;
    const std::uint32_t taken = out.device->transmit({mbufs.data(), count});
    sent += taken;
    if (taken < count || count < burst_size) break;
  }
  return sent;
}

std::uint32_t PortIo::punt(PortIndex index, std::span<Frame* const> frames) {
  Port& out = *ports_[index];
  std::uint32_t given = 0;
  for (Frame* frame : frames) {
    if (!out.punts.take() || !out.companion->write({frame->packet.data, frame->packet.length})) break;
    ++given;
  }
  // The kernel has copied them.
  release(frames.first(given));
  return given;
}

void PortIo::release(std::span<Frame* const> frames) {
  std::array<rte_mbuf*, burst_size> mbufs{};
  std::size_t done = 0;
  while (done < frames.size()) {
    const std::size_t count = std::min<std::size_t>(burst_size, frames.size() - done);
    for (std::size_t i = 0; i < count; ++i) mbufs[i] = store_frame(frames[done + i]);
    rte_pktmbuf_free_bulk(mbufs.data(), static_cast<unsigned>(count));
    done += count;
  }
}

Frame* PortIo::allocate() {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  return mbuf == nullptr ? nullptr : load_frame(mbuf);
}

std::uint32_t PortIo::receive(PortIndex index, std::span<Frame*> frames) noexcept {
  Port& in = *ports_[index];
  std::array<rte_mbuf*, burst_size> mbufs{};
  const std::size_t wanted = std::min<std::size_t>(burst_size, frames.size());
  const std::uint16_t got = in.device->receive({mbufs.data(), wanted});
  std::uint32_t count = 0;
  for (std::uint16_t i = 0; i < got; ++i) {
    // One buffer holds the longest frame of the port; a chain of them is longer than its MTU.
    if (mbufs[i]->nb_segs != 1) {
      in.oversize.add();
      rte_pktmbuf_free(mbufs[i]);
      continue;
    }
    frames[count] = load_frame(mbufs[i]);
    frames[count]->in_port = index;
    frames[count]->origin = Origin::wire;
    ++count;
  }
  return count;
}

std::uint32_t PortIo::receive_companion(PortIndex index, std::span<Frame*> frames) noexcept {
  Port& in = *ports_[index];
  std::uint32_t count = 0;
  while (count < frames.size()) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) break;  // it waits in the kernel
    const std::uint32_t room = rte_pktmbuf_tailroom(mbuf);
    const std::uint32_t length = in.companion->read({rte_pktmbuf_mtod(mbuf, std::uint8_t*), room});
    if (length == 0) {
      rte_pktmbuf_free(mbuf);
      break;
    }
    mbuf->data_len = static_cast<std::uint16_t>(length);
    mbuf->pkt_len = length;
    frames[count] = load_frame(mbuf);
    frames[count]->in_port = index;
    frames[count]->origin = Origin::companion;
    ++count;
  }
  return count;
}

void PortIo::refill(std::uint64_t now_ns) noexcept {
  for (const auto& port : ports_) port->punts.refill(now_ns);
}

void PortIo::kick() noexcept {
  if (used_ == 0) return;
  for (std::size_t i = 0; i < ports_.size(); ++i)
    if ((used_ >> (i % 64U) & 1U) != 0) ports_[i]->device->kick();
  used_ = 0;
}

}  // namespace linecrypt::gateway
