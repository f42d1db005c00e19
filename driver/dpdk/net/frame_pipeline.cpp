#include "driver/dpdk/net/frame_pipeline.hpp"

#include <rte_cycles.h>

#include <algorithm>
#include <bit>
#include <new>

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
  std::uint32_t renewals = 0;
  queue.lock.lock();
  const std::uint32_t accepted = device_.engine().submit(queue.id, {batch_.jobs.data(), count});
  for (std::uint32_t i = 0; i < accepted; ++i) {
    Job& job = *batch_.jobs[i];
    if (job.stages[0].operation == Operation::esp_encapsulate) {
      EspSession& session = *reinterpret_cast<EspTrip&>(job).esp.session;
      if (--session.until_renewal == 0) {
        session.until_renewal = 2 * DeviceContext::renewal_distance(session.wide);
        renewals_[renewals++] = &session;
      }
    }
    if (job.verdict != Verdict::pending) end_trip(job);
  }
  queue.lock.unlock();
  // 2.
  for (std::uint32_t i = 0; i < renewals; ++i) {
    EspSession& session = *renewals_[i];
    if (device_.renew_lease(session.sa())) continue;
    queue.lock.lock();
    session.until_renewal = batch_most;
    queue.lock.unlock();
  }
  if (accepted == count) {
    idle_ = 0;
    return true;
  }
  cursor = batch_.position[accepted];
  if (accepted == 0 && ++idle_ % calls_before_help == 0) device_.help();
  return false;
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

// Holding the lock of the engine's queue.
// 1. What became of the packet. 2. Its record rests: its owner goes on with it from here.
void FramePipeline::end_trip(Job& job) noexcept {
  // 1.
  EspTrip& trip = reinterpret_cast<EspTrip&>(job);
  FrameRecord& record = *trip.record;
  const bool good = finish_esp(trip.esp, given_iv_);
  record.verdict = job.verdict;
  if (!good) {
    if (record.verdict == Verdict::ok) record.verdict = Verdict::no_buffer;
    // A dummy packet is authentic, and for nobody.
    record.fate = trip.esp.session->egress || record.verdict == Verdict::dummy ? Fate::drop : Fate::flagged;
  }
  // 2.
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

// Jobs that the engine has not taken are not submitted any more.
void FramePipeline::give_up() noexcept {
  for (std::uint32_t at = second_; at != first_; ++at) {
    // The first trip may be under way; a second one that waits for the engine is not.
    FrameRecord& record = records_[at & mask_];
    if (record.trips[1] == TripState::ready) record.rests.store(true, std::memory_order_relaxed);
  }
  for (std::uint32_t at = first_; at != tail_; ++at) records_[at & mask_].rests.store(true, std::memory_order_relaxed);
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
