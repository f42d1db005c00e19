// RxQueue: frames in. ESP that a rule gives to a session is decrypted; all else is delivered as it came. A packet that
// a session refuses is delivered too, and flagged: applications count on it.
//
// Threads: one receives.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "driver/dpdk/net/frame_pipeline.hpp"
#include "driver/dpdk/net/queue_context.hpp"
#include "driver/dpdk/net/tx_queue.hpp"
#include "linecrypt/counters.hpp"

namespace linecrypt::dpdk {

class alignas(64) RxQueue {
 public:
  // `engine_queue`: of the sessions that are first used here. `context` outlives it. None: no memory.
  static std::unique_ptr<RxQueue> make(QueueContext& context, std::uint16_t index, std::uint32_t engine_queue,
                                       std::uint32_t frames, int socket);

  // Data path. Frames that wait in `beside`, the sending queue of the same number, are moved on: whoever receives comes
  // often.
  std::uint16_t receive(rte_mbuf** mbufs, std::uint16_t count) noexcept;
  // Before the first receive(), and again before it goes.
  void set_beside(TxQueue* beside) noexcept { beside_ = beside; }

  // Nobody receives any more: frees all that is on its way. False: the engine did not give all of it back.
  [[nodiscard]] bool settle() noexcept;

  // Any thread.
  [[nodiscard]] QueueCounts counts() const noexcept { return {frames_.get(), bytes_.get(), errors_.get()}; }
  [[nodiscard]] std::uint64_t count(Verdict verdict) const noexcept;
  void reset_counts() noexcept;

 private:
  static constexpr std::uint32_t burst_most = 64;

  RxQueue(QueueContext& context, std::uint16_t index, std::uint32_t engine_queue, std::uint32_t frames);

  [[nodiscard]] bool looks_at_frames() const noexcept {
    return context_.esp_steering.active() || context_.macsec.has_rx_rules();
  }
  std::uint16_t receive_plain(rte_mbuf** mbufs, std::uint16_t count) noexcept;
  void take_from_lower(std::uint16_t count) noexcept;
  void advance() noexcept;
  std::uint16_t deliver(rte_mbuf** mbufs, std::uint16_t count) noexcept;
  TripBegin begin_macsec_trip(FrameRecord& record, BounceRing& bounces) noexcept;
  TripBegin begin_esp_trip(FrameRecord& record, BounceRing& bounces) noexcept;

  QueueContext& context_;
  const std::uint16_t index_;
  const std::uint32_t engine_queue_;
  FramePipeline pipeline_;
  TxQueue* beside_ = nullptr;
  Counter frames_;
  Counter bytes_;
  Counter errors_;  // dropped
  VerdictCounters verdicts_;
  std::array<std::uint64_t, verdict_count> verdicts_before_{};  // at the last reset
};

}  // namespace linecrypt::dpdk
