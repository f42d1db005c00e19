#include "driver/dpdk/net/tx_queue.hpp"

#include <rte_cycles.h>
#include <rte_security.h>

#include <algorithm>
#include <new>

#include "driver/dpdk/common/inner_checksum.hpp"
#include "driver/dpdk/common/mbuf.hpp"
#include "driver/dpdk/net/session_memory.hpp"

namespace linecrypt::dpdk {
namespace {

// What an mbuf asked for, and what was done by then.
constexpr std::uint64_t done_by_us = RTE_MBUF_F_TX_SEC_OFFLOAD | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK |
                                     RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_SEG |
                                     RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_IPV4 |
                                     RTE_MBUF_F_TX_OUTER_IPV6 | RTE_MBUF_F_TX_TUNNEL_MASK;

// How long a queue that stops waits for the lower device to take frames.
constexpr std::uint64_t drain_milliseconds = 500;

// By the mbuf, or by its first segment.
std::uint16_t l2_length_of_frame(const rte_mbuf& mbuf) noexcept {
  if (mbuf.l2_len != 0) return mbuf.l2_len;
  return l2_length_of(rte_pktmbuf_mtod(&mbuf, const std::uint8_t*), mbuf.data_len);
}

// Of a clear frame, where its mbuf asks for them. False: it asks for something else, or lies in segments.
bool write_checksums(rte_mbuf& mbuf) noexcept {
  constexpr std::uint64_t checksums = RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK;
  constexpr std::uint64_t others = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ |
                                   RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM;
  if ((mbuf.ol_flags & others) != 0) return false;
  if ((mbuf.ol_flags & checksums) == 0) return true;
  const std::uint16_t l2_length = l2_length_of_frame(mbuf);
  if (mbuf.nb_segs != 1 || l2_length == 0 || mbuf.data_len <= l2_length) return false;
  std::uint8_t* const ip = rte_pktmbuf_mtod_offset(&mbuf, std::uint8_t*, l2_length);
  const auto length = static_cast<std::uint32_t>(mbuf.data_len - l2_length);
  if ((mbuf.ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0) write_ip_checksum(ip, length);
  if ((mbuf.ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0) write_l4_checksum(ip, length);
  mbuf.ol_flags &= ~(checksums | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
  return true;
}

}  // namespace

TxQueue::TxQueue(QueueContext& context, std::uint16_t index, std::uint32_t frames)
    : context_(context), index_(index), pipeline_(context.esp_sessions, frames) {}

std::unique_ptr<TxQueue> TxQueue::make(QueueContext& context, std::uint16_t index, std::uint32_t frames, int socket) {
  std::unique_ptr<TxQueue> queue(new (std::nothrow) TxQueue(context, index, frames));
  return queue != nullptr && queue->pipeline_.allocate(socket) ? std::move(queue) : nullptr;
}

// 1. Frames into the ring, as many as it has room for. 2. All in it moves on, which makes room for the rest.
std::uint16_t TxQueue::send(rte_mbuf** mbufs, std::uint16_t count) noexcept {
  if (context_.gone.load(std::memory_order_relaxed)) return 0;
  lock_.lock();
  bursts_.store(bursts_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::uint16_t taken = 0;
  for (;;) {
    // 1.
    const auto end = static_cast<std::uint16_t>(taken + std::min<std::uint32_t>(count - taken, pipeline_.room()));
    const bool any = end != taken;
    for (; taken < end; ++taken) pipeline_.push(mbufs[taken]);
    // 2.
    advance();
    if (taken == count || !any) break;
  }
  const LimitNotes limits = pipeline_.take_limits();
  lock_.unlock();
  if (limits.count != 0) tell_limits(context_, limits);
  return taken;
}

void TxQueue::progress() noexcept {
  if (context_.gone.load(std::memory_order_relaxed) || !lock_.try_lock()) return;
  advance();
  const LimitNotes limits = pipeline_.take_limits();
  lock_.unlock();
  if (limits.count != 0) tell_limits(context_, limits);
}

void TxQueue::help_if_idle() noexcept {
  const std::uint32_t bursts = bursts_.load(std::memory_order_relaxed);
  if (waits() && bursts == bursts_seen_) progress();
  bursts_seen_ = bursts;
}

// Lock held. While something leaves, what came behind it may find room.
void TxQueue::advance() noexcept {
  do {
    pipeline_.advance(
        [this](FrameRecord& record, BounceRing& bounces) noexcept { return begin_esp_trip(record, bounces); },
        [this](FrameRecord& record, BounceRing& bounces) noexcept { return begin_macsec_trip(record, bounces); });
    take_finished();
  } while (send_finished() && !pipeline_.empty());
  waits_.store(!pipeline_.empty() || finished_first_ != finished_end_, std::memory_order_relaxed);
}

TripBegin TxQueue::refuse(FrameRecord& record, Verdict verdict) noexcept {
  record.fate = Fate::drop;
  record.verdict = verdict;
  return TripBegin::none;
}

// 1. A frame that asks for nothing: by what the device was told. 2. The session that its metadata names. 3. The job.
TripBegin TxQueue::begin_esp_trip(FrameRecord& record, BounceRing& bounces) noexcept {
  rte_mbuf* const mbuf = record.mbuf;
  // 1.
  if ((mbuf->ol_flags & RTE_MBUF_F_TX_SEC_OFFLOAD) == 0) {
    if ((mbuf->ol_flags & RTE_MBUF_F_TX_MACSEC) != 0) return TripBegin::none;
    if (context_.unprotected == Unprotected::drop) return refuse(record, Verdict::policy_default);
    record.verdict = Verdict::bypassed;
    return TripBegin::none;
  }
  // 2.
  EspSession* const session = session_of(*rte_security_dynfield(mbuf), context_.esp_sessions);
  if (session == nullptr) return refuse(record, Verdict::stale_sa);
  if (!session->egress) return refuse(record, Verdict::wrong_operation);
  record.protects = true;
  record.engine_queue = session->queue_for(index_);
  // 3.
  const std::uint16_t l2_length = l2_length_of_frame(*mbuf);
  Verdict verdict = Verdict::malformed_ethernet;
  if (!is_exclusive(mbuf)) {
    verdict = Verdict::unsupported;
  } else if (l2_length >= wire::ethernet_size) {
    const std::uint8_t* const iv = session->extras.given_iv ? context_.given_ivs[session->sa_index].data() : nullptr;
    switch (begin_esp(record.esp.esp, *session, mbuf, mbuf, l2_length, iv, bounces)) {
      case EspBegin::ready:
        record.esp.record = &record;
        record.job = &record.esp.esp.job;
        record.bounced[0] = record.esp.esp.bounce != nullptr;
        return TripBegin::ready;
      case EspBegin::no_bounce:
        return TripBegin::wait;
      case EspBegin::refused:
        verdict = record.esp.esp.job.verdict;
        break;
    }
  }
  // It never reaches the engine, but it is its session's.
  SpinLock& lock = context_.esp_sessions.device().queue(record.engine_queue).lock;
  lock.lock();
  session->errors.add();
  lock.unlock();
  return refuse(record, verdict);
}

// 1. What the lower device cannot do to a frame that is encrypted is done before, or the frame is refused.
// 2. The job; a session without protection lets its frames pass.
TripBegin TxQueue::begin_macsec_trip(FrameRecord& record, BounceRing& bounces) noexcept {
  rte_mbuf* const mbuf = record.mbuf;
  if ((mbuf->ol_flags & RTE_MBUF_F_TX_MACSEC) == 0) return TripBegin::none;
  // 1.
  if (!is_exclusive(mbuf) || (!record.protects && !write_checksums(*mbuf))) return refuse(record, Verdict::unsupported);
  // 2.
  MacsecJob& macsec = record.macsec.macsec;
  switch (begin_macsec_tx(macsec, context_.macsec, mbuf, index_, bounces)) {
    case MacsecBegin::ready:
      record.macsec.record = &record;
      record.job = &macsec.job;
      record.engine_queue = macsec.queue;
      record.bounced[1] = macsec.bounce != nullptr;
      return TripBegin::ready;
    case MacsecBegin::pass:
      record.verdict = Verdict::bypassed;
      return TripBegin::none;
    case MacsecBegin::no_bounce:
      return TripBegin::wait;
    case MacsecBegin::drop:
      break;
  }
  return refuse(record, Verdict::no_sa);
}

void TxQueue::drop(rte_mbuf* mbuf, Verdict verdict) noexcept {
  verdicts_.add(verdict);
  errors_.add();
  rte_pktmbuf_free(mbuf);
}

// Frames that have come through: dropped, or ready for the lower device.
void TxQueue::take_finished() noexcept {
  if (finished_first_ == finished_end_) finished_first_ = finished_end_ = 0;
  while (finished_end_ < burst_most) {
    const FrameRecord* const record = pipeline_.front();
    if (record == nullptr) return;
    if (record->fate == Fate::forward) {
      if (record->protects) record->mbuf->ol_flags &= ~done_by_us;
      record->mbuf->ol_flags &= ~RTE_MBUF_F_TX_MACSEC;
      verdicts_.add(record->verdict);
      finished_[finished_end_++] = record->mbuf;
    } else {
      drop(record->mbuf, record->verdict);
    }
    pipeline_.pop();
  }
}

// True: some left, or were dropped.
// 1. Where the lower driver computes checksums, it looks at the frames before; one that it refuses is dropped.
// 2. What it takes has left; the rest waits.
bool TxQueue::send_finished() noexcept {
  if (finished_first_ == finished_end_) return false;
  // 1.
  rte_mbuf** const frames = finished_.data() + finished_first_;
  auto count = static_cast<std::uint16_t>(finished_end_ - finished_first_);
  if (context_.lower.prepares()) {
    count = context_.lower.prepare(index_, frames, count);
    if (count == 0) {
      drop(finished_[finished_first_++], Verdict::unsupported);
      return true;
    }
  }
  // 2.
  std::array<std::uint32_t, burst_most> lengths;
  for (std::uint32_t i = 0; i < count; ++i) lengths[i] = frames[i]->pkt_len;
  const std::uint16_t sent = context_.lower.send(index_, frames, count);
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < sent; ++i) bytes += lengths[i];
  finished_first_ += sent;
  frames_.add(sent);
  bytes_.add(bytes);
  return sent != 0;
}

bool TxQueue::settle() noexcept {
  lock_.lock();
  const std::uint64_t until = rte_get_timer_cycles() + rte_get_timer_hz() * drain_milliseconds / 1000;
  while (!context_.gone.load(std::memory_order_relaxed)) {
    advance();
    if (!waits() || rte_get_timer_cycles() > until) break;
  }
  const bool all = pipeline_.settle([this](const FrameRecord& record) noexcept {
    drop(record.mbuf, record.fate == Fate::drop ? record.verdict : Verdict::transmit_full);
  });
  for (; finished_first_ != finished_end_; ++finished_first_) {
    errors_.add();
    rte_pktmbuf_free(finished_[finished_first_]);
  }
  waits_.store(false, std::memory_order_relaxed);
  lock_.unlock();
  return all;
}

std::uint64_t TxQueue::count(Verdict verdict) const noexcept {
  return verdicts_.get(verdict) - verdicts_before_[static_cast<std::size_t>(verdict)];
}

void TxQueue::reset_counts() noexcept {
  for (Counter* counter : {&frames_, &bytes_, &errors_}) counter->reset();
  for (std::size_t i = 0; i < verdict_count; ++i) verdicts_before_[i] = verdicts_.get(static_cast<Verdict>(i));
}

}  // namespace linecrypt::dpdk
