// In and out of the engine. Jobs wait in one bounded ring, first in, first out, so that the order of an SA's packets is
// kept whatever the engine accepts; when it is full the frame is dropped. Nothing waits for the engine.
#include <algorithm>
#include <array>

#include "host/gateway/pipeline/worker.hpp"

namespace linecrypt::gateway {

// A stage goes over member by member: copied as a whole, it would be read by words that were never written as such, and
// the CPU waits for those to leave its store queue.
void Worker::submit(Frame& frame, Step step, const Stage& first, const Stage& second) noexcept {
  frame.step = static_cast<std::uint8_t>(step);
  Job& job = frame.job;
  job.source = job.destination = &frame.packet;
  job.stages[0].sa = first.sa;
  job.stages[0].operation = first.operation;
  job.stages[1].sa = second.sa;
  job.stages[1].operation = second.operation;
  job.l2_length = frame.l2_length;
  job.verdict = Verdict::pending;
  job.verdict_stage = 0;
  job.number = 0;
  job.user = reinterpret_cast<std::uintptr_t>(&frame);
  if (waiting_.push(&job)) return;
  // The Secy counts what it had no resources for (IEEE 802.1AE-2018 10.7.9 InPktsOverrun).
  if (step == Step::validated) in_port(frame).settings.secy->count_received(Verdict::engine_busy, frame.packet.length);
  end(frame, Verdict::engine_busy);
}

// 1. The oldest jobs; the engine takes as many as it likes.
// 2. What is done already goes on at once (and may come back for its next trip); the rest comes from poll().
std::uint32_t Worker::offer() noexcept {
  std::uint32_t done = 0;
  look_up_esp();
  while (waiting_.size() != 0) {
    // 1. A copy: the ring may be filled again while these go on.
    std::array<Job*, burst_largest> jobs{};
    const std::span<Job* const> oldest = waiting_.front(engine_burst_);
    const auto offered = static_cast<std::uint32_t>(oldest.size());
    std::copy(oldest.begin(), oldest.end(), jobs.begin());
    const std::uint32_t accepted = engine_.submit(queue_, {jobs.data(), offered});
    waiting_.pop(accepted);
    // 2. Counted before any of them goes on: what goes on may be asked for in_flight().
    std::array<Job*, burst_largest> finished_jobs{};
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < accepted; ++i)
      if (jobs[i]->verdict != Verdict::pending) finished_jobs[count++] = jobs[i];
    in_engine_ += accepted - count;
    for (std::uint32_t i = 0; i < count; ++i) finished(*reinterpret_cast<Frame*>(finished_jobs[i]->user));
    look_up_esp();
    done += count;
    if (accepted < offered) break;
  }
  return done;
}

std::uint32_t Worker::poll() noexcept {
  begin_burst();
  std::array<Job*, burst_largest> jobs{};
  const std::uint32_t count = in_engine_ == 0 ? 0 : engine_.poll(queue_, jobs);
  in_engine_ -= count;
  for (std::uint32_t i = 0; i < count; ++i) finished(*reinterpret_cast<Frame*>(jobs[i]->user));
  const std::uint32_t done = count + offer();
  flush();
  return done;
}

// Only ok goes on; for MACsec also what validateFrames lets pass unvalidated (IEEE 802.1AE-2018 10.6.5). A dummy packet
// has reached its end (RFC 4303 2.6). The engine has zeroed the payload of everything else.
void Worker::finished(Frame& frame) noexcept {
  const Verdict verdict = frame.job.verdict;
  switch (static_cast<Step>(frame.step)) {
    case Step::validated:
      in_port(frame).settings.secy->count_received(verdict, frame.packet.length);
      if (verdict != Verdict::ok && verdict != Verdict::unchecked) return end(frame, verdict);
      return receive_controlled(frame);
    case Step::decapsulated:
      if (verdict != Verdict::ok) return end(frame, verdict);
      return receive_decapsulated(frame);
    case Step::ready:
      return finished_ready(frame);
  }
}

// 1. MACsec's counters, if its stage was reached.
// 2. A tunnel has carried a packet: it is not idle, and a policy of request is require from now on.
void Worker::finished_ready(Frame& frame) noexcept {
  const Verdict verdict = frame.job.verdict;
  // 1.
  if (frame.job.stages[frame.job.verdict_stage].operation == Operation::macsec_protect)
    out_port(frame).settings.secy->count_transmitted(verdict, frame.packet.length);
  if (verdict != Verdict::ok) return end(frame, verdict);
  // 2.
  if (frame.tunnel != tables::no_tunnel) {
    tunnels_[frame.tunnel]->last_sent_ns = now_ns_;
    if (frame.policy != nullptr) frame.policy->sealed.store(true, std::memory_order_relaxed);
  }
  transmit(frame);
}

}  // namespace linecrypt::gateway
