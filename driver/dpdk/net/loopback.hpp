// Loopback: what a device without a wire sends comes back to it. One ring a receive queue, under a lock that is held
// for a burst: senders are several threads.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "driver/dpdk/common/spin_lock.hpp"

namespace linecrypt::dpdk {

class alignas(64) Loopback {
 public:
  static constexpr std::uint32_t capacity = 4096;  // a power of two

  // Takes the first n, as they are.
  std::uint16_t put(rte_mbuf** mbufs, std::uint16_t count) noexcept {
    lock_.lock();
    const std::uint32_t taken = std::min<std::uint32_t>(count, capacity - (tail_ - head_));
    for (std::uint32_t i = 0; i < taken; ++i) ring_[(tail_ + i) % capacity] = mbufs[i];
    tail_ += taken;
    lock_.unlock();
    return static_cast<std::uint16_t>(taken);
  }

  // As a port receives them: nothing that was said of them on the way out holds.
  std::uint16_t take(rte_mbuf** mbufs, std::uint16_t count) noexcept {
    lock_.lock();
    const std::uint32_t given = std::min<std::uint32_t>(count, tail_ - head_);
    for (std::uint32_t i = 0; i < given; ++i) mbufs[i] = ring_[(head_ + i) % capacity];
    head_ += given;
    lock_.unlock();
    for (std::uint32_t i = 0; i < given; ++i) {
      mbufs[i]->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
      mbufs[i]->packet_type = 0;
      mbufs[i]->vlan_tci = 0;
    }
    return static_cast<std::uint16_t>(given);
  }

 private:
  SpinLock lock_;
  std::uint32_t head_ = 0;
  std::uint32_t tail_ = 0;
  std::array<rte_mbuf*, capacity> ring_{};
};

}  // namespace linecrypt::dpdk
