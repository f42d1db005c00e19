#include "driver/dpdk/net/rx_queue.hpp"

#include <rte_security.h>

#include <algorithm>
#include <new>

#include "driver/dpdk/common/mbuf.hpp"
#include "driver/dpdk/net/session_memory.hpp"

namespace linecrypt::dpdk {
namespace {

// What the lower device said of the outer headers does not hold for the packet inside.
constexpr std::uint64_t of_outer_headers = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK |
                                           RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD | RTE_MBUF_F_RX_OUTER_L4_CKSUM_MASK;

// Headers that are in several segments are looked at in a copy.
EspHeader find_esp_in(const rte_mbuf* mbuf) noexcept {
  if (mbuf->nb_segs == 1 || mbuf->data_len >= esp_header_reach)
    return find_esp(rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len);
  std::array<std::uint8_t, esp_header_reach> copy;
  const std::uint32_t length = std::min(mbuf->pkt_len, esp_header_reach);
  return gather(mbuf, 0, length, copy.data()) ? find_esp(copy.data(), length) : EspHeader{};
}

}  // namespace

RxQueue::RxQueue(QueueContext& context, std::uint16_t index, std::uint32_t engine_queue, std::uint32_t frames)
    : context_(context), index_(index), engine_queue_(engine_queue), pipeline_(context.esp_sessions, frames) {}

std::unique_ptr<RxQueue> RxQueue::make(QueueContext& context, std::uint16_t index, std::uint32_t engine_queue,
                                       std::uint32_t frames, int socket) {
  std::unique_ptr<RxQueue> queue(new (std::nothrow) RxQueue(context, index, engine_queue, frames));
  return queue != nullptr && queue->pipeline_.allocate(socket) ? std::move(queue) : nullptr;
}

// 1. Frames from the lower device, as many as the ring has room for, and no more than are asked for: what is left there
//    waits there. 2. They move on. 3. Those that have come through, in order.
std::uint16_t RxQueue::receive(rte_mbuf** mbufs, std::uint16_t count) noexcept {
  if (context_.gone.load(std::memory_order_relaxed)) return 0;
  if (beside_ != nullptr && beside_->waits()) beside_->progress();
  if (pipeline_.empty() && !looks_at_frames()) return receive_plain(mbufs, count);
  // 1.
  take_from_lower(static_cast<std::uint16_t>(std::min<std::uint32_t>(count, pipeline_.room())));
  if (pipeline_.empty()) return 0;
  // 2.
  advance();
  // 3.
  const std::uint16_t given = deliver(mbufs, count);
  if (const LimitNotes limits = pipeline_.take_limits(); limits.count != 0) tell_limits(context_, limits);
  return given;
}

// Nothing is to be done with any frame.
std::uint16_t RxQueue::receive_plain(rte_mbuf** mbufs, std::uint16_t count) noexcept {
  const std::uint16_t received = context_.lower.receive(index_, mbufs, count);
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < received; ++i) {
    mbufs[i]->port = context_.port;
    bytes += mbufs[i]->pkt_len;
  }
  frames_.add(received);
  bytes_.add(bytes);
  verdicts_.add(Verdict::bypassed, received);
  return received;
}

void RxQueue::take_from_lower(std::uint16_t count) noexcept {
  std::array<rte_mbuf*, burst_most> mbufs;
  while (count != 0) {
    const auto asked = std::min<std::uint16_t>(count, burst_most);
    const std::uint16_t received = context_.lower.receive(index_, mbufs.data(), asked);
    for (std::uint16_t i = 0; i < received; ++i) pipeline_.push(mbufs[i]);
    if (received < asked) return;
    count = static_cast<std::uint16_t>(count - received);
  }
}

void RxQueue::advance() noexcept {
  pipeline_.advance(
      [this](FrameRecord& record, BounceRing& bounces) noexcept { return begin_macsec_trip(record, bounces); },
      [this](FrameRecord& record, BounceRing& bounces) noexcept { return begin_esp_trip(record, bounces); });
}

// A frame that no rule matches goes on as it is.
TripBegin RxQueue::begin_macsec_trip(FrameRecord& record, BounceRing& bounces) noexcept {
  record.verdict = Verdict::bypassed;
  if (!context_.macsec.has_rx_rules()) return TripBegin::none;
  MacsecJob& macsec = record.macsec.macsec;
  switch (begin_macsec_rx(macsec, context_.macsec, record.mbuf, engine_queue_, bounces)) {
    case MacsecBegin::ready:
      record.macsec.record = &record;
      record.job = &macsec.job;
      record.engine_queue = macsec.queue;
      record.bounced[0] = macsec.bounce != nullptr;
      return TripBegin::ready;
    case MacsecBegin::pass:
      return TripBegin::none;
    case MacsecBegin::no_bounce:
      return TripBegin::wait;
    case MacsecBegin::drop:
      break;
  }
  record.verdict = Verdict::no_sa;
  record.fate = Fate::drop;
  return TripBegin::none;
}

// 1. Whose it is; nobody's: it goes on as it is. 2. The job.
TripBegin RxQueue::begin_esp_trip(FrameRecord& record, BounceRing& bounces) noexcept {
  // 1.
  if (!context_.esp_steering.active()) return TripBegin::none;
  const EspHeader esp = find_esp_in(record.mbuf);
  if (!esp.found) return TripBegin::none;
  EspSession* const session = context_.esp_steering.session_for(esp);
  if (session == nullptr) {
    if (esp.udp_port == 0) record.verdict = Verdict::esp_unknown_spi;
    return TripBegin::none;
  }
  // 2.
  record.protects = true;
  record.engine_queue = session->queue_for(engine_queue_);
  record.userdata = session->userdata;
  record.mbuf->ol_flags &= ~of_outer_headers;
  record.verdict = Verdict::unsupported;
  if (is_exclusive(record.mbuf)) {
    switch (begin_esp(record.esp.esp, *session, record.mbuf, record.mbuf, esp.l2_length, nullptr, bounces)) {
      case EspBegin::ready:
        record.esp.record = &record;
        record.job = &record.esp.esp.job;
        record.bounced[1] = record.esp.esp.bounce != nullptr;
        return TripBegin::ready;
      case EspBegin::no_bounce:
        return TripBegin::wait;
      case EspBegin::refused:
        record.verdict = record.esp.esp.job.verdict;
        break;
    }
  }
  SpinLock& lock = context_.esp_sessions.device().queue(record.engine_queue).lock;
  lock.lock();
  session->errors.add();
  lock.unlock();
  record.fate = Fate::flagged;
  return TripBegin::none;
}

std::uint16_t RxQueue::deliver(rte_mbuf** mbufs, std::uint16_t count) noexcept {
  std::uint16_t given = 0;
  std::uint64_t bytes = 0;
  while (given < count) {
    const FrameRecord* const record = pipeline_.front();
    if (record == nullptr) break;
    rte_mbuf* const mbuf = record->mbuf;
    verdicts_.add(record->verdict);
    if (record->fate == Fate::drop) {
      errors_.add();
      rte_pktmbuf_free(mbuf);
    } else {
      mbuf->port = context_.port;
      if (record->protects) {
        mbuf->packet_type = 0;
        mbuf->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD;
        if (record->fate == Fate::flagged) mbuf->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED;
        *rte_security_dynfield(mbuf) = record->userdata;
      }
      bytes += mbuf->pkt_len;
      mbufs[given++] = mbuf;
    }
    pipeline_.pop();
  }
  frames_.add(given);
  bytes_.add(bytes);
  return given;
}

bool RxQueue::settle() noexcept {
  return pipeline_.settle([this](const FrameRecord& record) noexcept {
    errors_.add();
    rte_pktmbuf_free(record.mbuf);
  });
}

std::uint64_t RxQueue::count(Verdict verdict) const noexcept {
  return verdicts_.get(verdict) - verdicts_before_[static_cast<std::size_t>(verdict)];
}

void RxQueue::reset_counts() noexcept {
  for (Counter* counter : {&frames_, &bytes_, &errors_}) counter->reset();
  for (std::size_t i = 0; i < verdict_count; ++i) verdicts_before_[i] = verdicts_.get(static_cast<Verdict>(i));
}

}  // namespace linecrypt::dpdk
