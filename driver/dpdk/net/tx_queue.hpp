// TxQueue: frames out. A frame is protected where its mbuf asks for it, and nothing else leaves unless the device was
// told to pass it. Order is kept, whichever engine has the frames meanwhile.
//
// Threads: one sends; where an engine completes late, the service thread or a receiving thread moves frames on when
// nobody sends. A lock, held for a burst, makes them one at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "driver/dpdk/common/spin_lock.hpp"
#include "driver/dpdk/net/frame_pipeline.hpp"
#include "driver/dpdk/net/queue_context.hpp"
#include "linecrypt/counters.hpp"

namespace linecrypt::dpdk {

class alignas(64) TxQueue {
 public:
  // `context` outlives it. None: no memory.
  static std::unique_ptr<TxQueue> make(QueueContext& context, std::uint16_t index, std::uint32_t frames, int socket);

  // Data path.
  std::uint16_t send(rte_mbuf** mbufs, std::uint16_t count) noexcept;
  // Any thread: frames are on their way that a call of progress() may move on.
  [[nodiscard]] bool waits() const noexcept { return waits_.load(std::memory_order_relaxed); }
  // Any thread, if nobody else does.
  void progress() noexcept;
  // The service thread: moves on what waits if nobody sent since the last call.
  void help_if_idle() noexcept;

  // Nobody sends any more: what is on its way leaves, or is dropped if the lower device does not take it.
  // False: the engine did not give all of it back.
  [[nodiscard]] bool settle() noexcept;

  // Any thread.
  [[nodiscard]] QueueCounts counts() const noexcept { return {frames_.get(), bytes_.get(), errors_.get()}; }
  [[nodiscard]] std::uint64_t count(Verdict verdict) const noexcept;
  void reset_counts() noexcept;

 private:
  static constexpr std::uint32_t burst_most = 64;

  TxQueue(QueueContext& context, std::uint16_t index, std::uint32_t frames);

  void advance() noexcept;
  TripBegin begin_esp_trip(FrameRecord& record, BounceRing& bounces) noexcept;
  TripBegin begin_macsec_trip(FrameRecord& record, BounceRing& bounces) noexcept;
  static TripBegin refuse(FrameRecord& record, Verdict verdict) noexcept;
  void take_finished() noexcept;
  bool send_finished() noexcept;
  void drop(rte_mbuf* mbuf, Verdict verdict) noexcept;

  QueueContext& context_;
  const std::uint16_t index_;
  SpinLock lock_;
  FramePipeline pipeline_;
  // Frames that are done and that the lower device has not taken yet.
  std::array<rte_mbuf*, burst_most> finished_{};
  std::uint32_t finished_first_ = 0;
  std::uint32_t finished_end_ = 0;
  std::uint32_t bursts_seen_ = 0;  // service thread's
  std::atomic<bool> waits_{false};
  std::atomic<std::uint32_t> bursts_{0};
  Counter frames_;
  Counter bytes_;
  Counter errors_;
  VerdictCounters verdicts_;
  std::array<std::uint64_t, verdict_count> verdicts_before_{};  // at the last reset
};

}  // namespace linecrypt::dpdk
