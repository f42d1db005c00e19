#include "driver/dpdk/net/frame_pipeline.hpp"

#include <rte_cycles.h>

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace linecrypt::dpdk {
namespace {

// While a failover moves SAs an engine takes nothing: then whoever waits helps it on.
constexpr std::uint32_t calls_before_help = 64;

constexpr std::uint64_t settle_seconds = 30;

}  // namespace

FramePipeline::FramePipeline(EspSessions& sessions, std::uint32_t frames)
    : device_(sessions.device()),
      given_iv_(sessions.given_iv()),
      mask_(std::bit_ceil(std::max(frames, batch_most)) - 1),
      records_(new (std::nothrow) FrameRecord[mask_ + 1]) {}

bool FramePipeline::allocate(int socket) noexcept {
  return records_ != nullptr && bounces_[0].allocate(socket) && bounces_[1].allocate(socket);
}

void FramePipeline::push(rte_mbuf* mbuf) noexcept {
  // An empty ring begins anew: its first records are in the cache.
  if (head_ == tail_) head_ = second_ = first_ = tail_ = 0;
  FrameRecord& record = records_[tail_++ & mask_];
  record.mbuf = mbuf;
  record.rests.store(true, std::memory_order_relaxed);
  record.trips = {};
  record.bounced = {};
  record.fate = Fate::forward;
  record.protects = false;
  record.verdict = Verdict::ok;
}

void FramePipeline::add(FrameRecord& record, std::uint32_t position) noexcept {
  record.rests.store(false, std::memory_order_relaxed);
  batch_.engine_queue = record.engine_queue;
  batch_.jobs[batch_.count] = record.job;
  batch_.position[batch_.count] = position;
  ++batch_.count;
}

// 1. The engine, under its queue's lock; what it finished at once ends here.
// 2. Leases of SAs that are half used.
bool FramePipeline::flush(std::uint32_t& cursor) noexcept {
  // 1.
  EngineQueue& queue = device_.queue(batch_.engine_queue);
  const std::uint32_t count = std::exchange(batch_.count, 0);
  queue.lock.lock();
  const std::uint32_t accepted = device_.engine().submit(queue.id, {batch_.jobs.data(), count});
  for (std::uint32_t i = 0; i < accepted; ++i) {
    Job& job = *batch_.jobs[i];
    count_lease(job);
    if (job.verdict != Verdict::pending) end_trip(job);
  }
  queue.lock.unlock();
  // 2.
  if (esp_renewals_count_ != 0 || macsec_renewals_count_ != 0) renew_leases(queue);
  if (accepted == count) {
    idle_ = 0;
    return true;
  }
  cursor = batch_.position[accepted];
  if (accepted == 0 && ++idle_ % calls_before_help == 0) device_.help();
  return false;
}

// Holding the lock of the engine's queue.
void FramePipeline::count_lease(Job& job) noexcept {
  const Operation operation = job.stages[0].operation;
  if (operation == Operation::esp_encapsulate) {
    EspSession& session = *reinterpret_cast<EspTrip&>(job).esp.session;
    if (--session.until_renewal != 0) return;
    session.until_renewal = 2 * DeviceContext::renewal_distance(session.wide);
    esp_renewals_[esp_renewals_count_++] = &session;
  } else if (operation == Operation::macsec_protect) {
    const MacsecJob& macsec = reinterpret_cast<MacsecTrip&>(job).macsec;
    if (macsec_lease_due(macsec, macsec_renewals_[macsec_renewals_count_])) ++macsec_renewals_count_;
  }
}

void FramePipeline::renew_leases(EngineQueue& queue) noexcept {
  for (; esp_renewals_count_ != 0; --esp_renewals_count_) {
    EspSession& session = *esp_renewals_[esp_renewals_count_ - 1];
    if (device_.renew_lease(session.sa())) continue;
    queue.lock.lock();
    session.until_renewal = batch_most;
    queue.lock.unlock();
  }
  for (; macsec_renewals_count_ != 0; --macsec_renewals_count_)
    renew_macsec(macsec_renewals_[macsec_renewals_count_ - 1], device_);
}

// Finished jobs of one of the engine's queues, whichever queue of ours they are of.
std::uint32_t FramePipeline::poll(std::uint32_t engine_queue) noexcept {
  std::array<Job*, batch_most> jobs;
  EngineQueue& queue = device_.queue(engine_queue);
  queue.lock.lock();
  const std::uint32_t count = device_.engine().poll(queue.id, jobs);
  for (std::uint32_t i = 0; i < count; ++i) end_trip(*jobs[i]);
  queue.lock.unlock();
  if (count != 0)
    idle_ = 0;
  else if (++idle_ % calls_before_help == 0)
    device_.help();
  return count;
}

// Holding the lock of the engine's queue. The record's owner goes on with it once it rests.
void FramePipeline::end_trip(Job& job) noexcept {
  const Operation operation = job.stages[0].operation;
  if (operation == Operation::esp_encapsulate || operation == Operation::esp_decapsulate)
    end_esp_trip(reinterpret_cast<EspTrip&>(job));
  else
    end_macsec_trip(reinterpret_cast<MacsecTrip&>(job));
}

// 1. What became of the packet. A dummy packet is authentic, and for nobody. 2. A limit of its session that it reached.
void FramePipeline::end_esp_trip(EspTrip& trip) noexcept {
  // 1.
  FrameRecord& record = *trip.record;
  EspSession& session = *trip.esp.session;
  const bool good = finish_esp(trip.esp, given_iv_);
  record.verdict = trip.esp.job.verdict;
  if (!good) {
    if (record.verdict == Verdict::ok) record.verdict = Verdict::no_buffer;
    record.fate = session.egress || record.verdict == Verdict::dummy ? Fate::drop : Fate::flagged;
  }
  // 2.
  if (trip.esp.soft_expired || record.verdict == Verdict::hard_expired) note_limits(session, trip);
  record.rests.store(true, std::memory_order_release);
}

// By our own counts, and at once: an engine's events come later, a card's much later.
void FramePipeline::note_limits(EspSession& session, const EspTrip& trip) noexcept {
  const bool soft = trip.esp.soft_expired;
  bool& told = soft ? session.soft_told : session.hard_told;
  if (told || limits_.count == limits_.notes.size()) return;
  told = true;
  const LifetimeLimit& limit = soft ? session.soft : session.hard;
  const bool packets = limit.packets != 0 && session.packets.get() >= limit.packets;
  auto subtype = packets ? RTE_ETH_EVENT_IPSEC_SA_PKT_EXPIRY : RTE_ETH_EVENT_IPSEC_SA_BYTE_EXPIRY;
  if (!soft) subtype = packets ? RTE_ETH_EVENT_IPSEC_SA_PKT_HARD_EXPIRY : RTE_ETH_EVENT_IPSEC_SA_BYTE_HARD_EXPIRY;
  limits_.notes[limits_.count++] = {session.userdata, subtype};
}

void FramePipeline::end_macsec_trip(MacsecTrip& trip) noexcept {
  FrameRecord& record = *trip.record;
  const MacsecEnd end = finish_macsec(trip.macsec);
  record.verdict = trip.macsec.job.verdict;
  if (end == MacsecEnd::drop) record.fate = trip.macsec.flagged ? Fate::flagged : Fate::drop;
  record.rests.store(true, std::memory_order_release);
}

bool FramePipeline::first_is_over(const FrameRecord& record) noexcept {
  while (!record.rests.load(std::memory_order_acquire))
    if (poll(record.engine_queue) == 0) return false;
  return true;
}

FrameRecord* FramePipeline::front() noexcept {
  if (head_ == second_) return nullptr;
  FrameRecord& record = records_[head_ & mask_];
  return first_is_over(record) ? &record : nullptr;
}

void FramePipeline::pop() noexcept {
  const FrameRecord& record = records_[head_++ & mask_];
  for (std::size_t trip = 0; trip < 2; ++trip)
    if (record.bounced[trip]) bounces_[trip].give_back();
}

// Jobs that the engine has not taken are not submitted any more: in the second trip those behind its cursor, in the
// first trip likewise. A frame between the cursors may be in the engine for its first trip.
void FramePipeline::give_up() noexcept {
  for (std::uint32_t at = second_; at != first_; ++at)
    if (FrameRecord& record = records_[at & mask_]; record.trips[1] == TripState::ready) take_back(record, 1);
  for (std::uint32_t at = first_; at != tail_; ++at)
    if (FrameRecord& record = records_[at & mask_]; record.trips[0] == TripState::ready) take_back(record, 0);
}

void FramePipeline::take_back(FrameRecord& record, std::size_t trip) noexcept {
  record.trips[trip] = TripState::none;
  if (record.job == &record.macsec.macsec.job) undo_macsec(record.macsec.macsec);
  record.rests.store(true, std::memory_order_relaxed);
}

// An engine gives every job back, within its own limits on how long it may take.
bool FramePipeline::wait_for(const FrameRecord& record) noexcept {
  const std::uint64_t give_up_at = rte_get_timer_cycles() + settle_seconds * rte_get_timer_hz();
  while (!record.rests.load(std::memory_order_acquire)) {
    if (poll(record.engine_queue) != 0) continue;
    if (rte_get_timer_cycles() > give_up_at) return false;
    device_.help();
  }
  return true;
}

}  // namespace linecrypt::dpdk
