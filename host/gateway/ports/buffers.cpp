#include "host/gateway/ports/buffers.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "linecrypt/mtu.hpp"

namespace linecrypt::gateway {

namespace {

constexpr std::uint32_t cache_size = 256;
// TPACKET2_HDRLEN and its alignments, rounded up.
constexpr std::uint32_t ring_header = 96;
constexpr std::uint32_t ring_frame_smallest = 2048;

constexpr std::uint32_t private_size =
    (sizeof(Frame) + RTE_MBUF_PRIV_ALIGN - 1) / RTE_MBUF_PRIV_ALIGN * RTE_MBUF_PRIV_ALIGN;
static_assert(alignof(Frame) <= RTE_MBUF_PRIV_ALIGN);

}  // namespace

std::uint32_t payload_mtu(const config::Config& config, const config::Port& port) noexcept {
  const bool macsec = std::any_of(config.macsecs.begin(), config.macsecs.end(),
                                  [&](const config::Macsec& entry) { return entry.port == port.name; });
  const auto layout = macsec ? mtu::MacsecLayout::sci : mtu::MacsecLayout::none;
  return mtu::frame_size(port.mtu, static_cast<std::uint32_t>(port.vlan.size()), layout) - wire::ethernet_size;
}

std::uint32_t longest_frame(const config::Config& config, const config::Port& port) noexcept {
  return payload_mtu(config, port) + wire::ethernet_size;
}

std::uint32_t ring_frame_size(std::uint32_t longest) noexcept {
  return std::max(ring_frame_smallest, std::bit_ceil(longest + ring_header));
}

Result<Buffers> Buffers::make(const config::Config& config) {
  // 1. The largest frame of any port, as any frame may leave by any port. An af_packet driver asks for room for its
  //    whole ring frame.
  std::uint32_t room = 0;
  for (const config::Port& port : config.ports) {
    const std::uint32_t longest = longest_frame(config, port);
    room = std::max(room, longest + tailroom_needed);
    if (std::holds_alternative<config::AfPacketDevice>(port.device)) room = std::max(room, ring_frame_size(longest));
  }
  const std::uint32_t data_room = RTE_PKTMBUF_HEADROOM + (room + 63) / 64 * 64;

  // 2. Does it fit? DPDK's own bookkeeping takes a few MiB beside the buffers.
  if (!config.gateway.hugepages) {
    constexpr std::uint64_t bookkeeping = std::uint64_t{8} << 20U;
    const std::uint64_t each = sizeof(rte_mbuf) + private_size + data_room + 64 + 64;
    const std::uint64_t needed = (each * config.gateway.buffers + bookkeeping + (1U << 20U) - 1) >> 20U;
    if (needed > config.gateway.memory_mb)
      return Error{fmt::format("gateway: {} buffers of {} bytes need memory_mb = {}, configured are {}",
                               config.gateway.buffers, data_room, needed, config.gateway.memory_mb)};
  }

  // 3. The pool.
  rte_mempool* pool = rte_pktmbuf_pool_create("linecrypt", config.gateway.buffers, cache_size, private_size,
                                              static_cast<std::uint16_t>(data_room), SOCKET_ID_ANY);
  if (pool == nullptr)
    return Error{fmt::format("gateway: {} buffers of {} bytes: {}; more memory_mb or fewer buffers",
                             config.gateway.buffers, data_room, rte_strerror(rte_errno))};
  return Buffers(pool);
}

Buffers::Buffers(Buffers&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}

Buffers::~Buffers() {
  rte_mempool_free(pool_);
}

std::uint32_t Buffers::capacity() const noexcept {
  return pool_->size;
}

std::uint32_t Buffers::available() const noexcept {
  return rte_mempool_avail_count(pool_);
}

}  // namespace linecrypt::gateway
