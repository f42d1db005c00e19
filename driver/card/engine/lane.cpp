#include "driver/card/engine/lane.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <chrono>
#include <cstring>

#include "linecrypt/secret.hpp"

namespace linecrypt::card {
namespace {

constexpr auto control_pause = std::chrono::microseconds(20);
// Turns without anything to do: first give others the processor, then sleep; a batch takes tens of microseconds.
constexpr std::uint32_t turns_of_yield = 16;
constexpr auto nap = std::chrono::microseconds(20);

}  // namespace

Lane::Lane(abi::Direction direction, LaneSetup setup)
    : direction_(direction),
      setup_(std::move(setup)),
      events_(*setup_.flags),
      own_events_(*setup_.own_flags),
      progress_(setup_.patience),
      seat_(std::make_shared<Seat>()) {}

Result<std::shared_ptr<Lane>> Lane::make(abi::Direction direction, LaneSetup setup) {
  std::shared_ptr<Lane> lane(new Lane(direction, std::move(setup)));
  auto ring = lane->setup_.port->allocate(MemoryUse::control, abi::page);
  if (!ring) return Error{"work ring: " + ring.error().message};
  lane->ring_ = std::move(*ring);
  std::memset(lane->ring_->host(), 0, lane->ring_->size());
  if (!lane->ring_->to_card(0, lane->ring_->size())) return Error{"work ring: the first transfer to the card failed"};
  std::uint64_t stamp = 0;
  if (getrandom(&stamp, sizeof stamp, 0) != sizeof stamp) return Error{"slabs: the system has no random numbers"};
  for (std::uint32_t i = 0; i < lane->setup_.slabs; ++i) {
    auto slab =
        Slab::make(*lane->setup_.port, direction == abi::Direction::egress ? MemoryUse::egress : MemoryUse::ingress,
                   lane->setup_.slab_bytes, stamp);
    if (!slab) return Error{fmt::format("slab {}: {}", i, slab.error().message)};
    lane->slabs_.push_back(std::move(*slab));
  }
  return lane;
}

void Lane::spawn() {
  // The thread holds the lane: should it hang for ever, nothing that it may touch goes away.
  thread_ = std::thread([self = shared_from_this(), seat = seat()] { self->run(*seat); });
}

void Lane::start() {
  progress_.moved();
  spawn();
}

void Lane::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_seq_cst);
  bell_.ring();
  // A thread that hangs is left behind: join() would hang as well.
  Standstill standstill(setup_.patience);
  for (std::uint64_t call = seat_->current_call(); call != 0 && call == seat_->current_call();) {
    if (standstill.too_long() && seat_->abandon()) {
      thread_.detach();
      return;
    }
    std::this_thread::sleep_for(control_pause);
  }
  thread_.join();
}

bool Lane::replace() {
  if (!seat_->abandon()) return false;
  thread_.detach();
  {
    const std::lock_guard lock(seat_mutex_);
    seat_ = std::make_shared<Seat>();
  }
  spawn();
  return true;
}

void Lane::work_came() noexcept {
  bell_.ring_if_asleep();
}

void Lane::wait_for_batches() {
  const std::uint32_t until = sent_.load(std::memory_order_acquire);
  while (static_cast<std::int32_t>(reaped_.load(std::memory_order_acquire) - until) < 0 && !setup_.loss->lost())
    std::this_thread::sleep_for(control_pause);
}

// Behind a loss as well: the thread still walks over its jobs once, to give them back.
void Lane::wait_for_quiescence() {
  const std::uint64_t turn = turns_.load(std::memory_order_seq_cst);
  while (turns_.load(std::memory_order_seq_cst) - turn < 2 && !bell_.asleep()) {
    if (setup_.loss->lost() && current_call() != 0) return;  // it hangs: the watchdog sees to it
    std::this_thread::sleep_for(control_pause);
  }
}

void Lane::hold() {
  hold_.store(true, std::memory_order_seq_cst);
  wait_for_quiescence();
  wait_for_batches();
}

void Lane::resume() {
  hold_.store(false, std::memory_order_seq_cst);
  bell_.ring();
}

Lane::Counts Lane::counts() const noexcept {
  const std::uint32_t sent = sent_.load(std::memory_order_relaxed);
  return {sent, jobs_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed),
          lost_jobs_.load(std::memory_order_relaxed), sent - reaped_.load(std::memory_order_relaxed)};
}

std::uint64_t Lane::slab_memory() const noexcept {
  return std::uint64_t{setup_.slabs} * setup_.slab_bytes * 2;
}

bool Lane::work_waits() const noexcept {
  for (const auto& queue : setup_.queues)
    if (!queue->lane[static_cast<std::size_t>(direction_)].to_card.empty()) return true;
  return false;
}

// 1. A lost card: everything goes back, and whatever still comes.
// 2. Jobs to the card, finished ones back.
// 3. Nothing to do: rest.
void Lane::run(Seat& seat) {
  std::uint32_t idle_turns = 0;
  while (!stop_.load(std::memory_order_acquire)) {
    turns_.fetch_add(1, std::memory_order_seq_cst);
    Step step = Step::idle;
    if (setup_.loss->lost()) {
      // 1.
      give_back_all();
    } else {
      // 2.
      const Step gathered = hold_.load(std::memory_order_seq_cst) ? Step::idle : gather(seat);
      if (gathered == Step::leave) return;
      const Step taken = reap(seat);
      if (taken == Step::leave) return;
      if (gathered == Step::moved || taken == Step::moved) step = Step::moved;
    }
    // 3.
    idle_turns = step == Step::moved ? 0 : idle_turns + 1;
    if (step != Step::moved) rest(idle_turns);
  }
  if (setup_.loss->lost()) give_back_all();
}

// With nothing in flight the thread sleeps until a worker wakes it.
void Lane::rest(std::uint32_t idle_turns) noexcept {
  if (idle_turns < turns_of_yield) return std::this_thread::yield();
  const bool waits_for_card =
      sent_.load(std::memory_order_relaxed) != reaped_.load(std::memory_order_relaxed) && !setup_.loss->lost();
  if (waits_for_card) return std::this_thread::sleep_for(nap);
  bell_.sleep([this] {
    const bool held = hold_.load(std::memory_order_seq_cst) && !setup_.loss->lost();
    return stop_.load(std::memory_order_seq_cst) || (!held && work_waits());
  });
}

// 1. A free slab.
// 2. Jobs of all queues in turn, as many as fit. Those that have their verdict without the card do not go in.
// 3. Off.
Lane::Step Lane::gather(Seat& seat) {
  // 1.
  const std::uint32_t sent = sent_.load(std::memory_order_relaxed);
  if (sent - reaped_.load(std::memory_order_relaxed) >= setup_.slabs || !work_waits()) return Step::idle;
  Slab& slab = *slabs_[sent % setup_.slabs];
  // 2.
  const auto queues = static_cast<std::uint32_t>(setup_.queues.size());
  bool full = false;
  for (std::uint32_t q = 0; q < queues && !full; ++q) {
    QueueLane& queue = setup_.queues[(next_queue_ + q) % queues]->lane[static_cast<std::size_t>(direction_)];
    while (Job* const* front = queue.to_card.front()) {
      Job* const job = *front;
      Step step = Step::idle;
      if (!settled(seat, *job, step)) return step;
      InFlight entry;
      entry.job = job;
      entry.queue = &queue;
      const Verdict verdict = admit(*job, entry);
      if (verdict != Verdict::pending) {
        queue.to_card.pop();
        complete(entry, verdict);
        continue;
      }
      if (!slab.fits(job->source->length, entry.output_room)) {
        full = true;
        break;
      }
      if (++cookie_ == 0) ++cookie_;
      entry.cookie = cookie_;
      slab.add(entry);
      queue.to_card.pop();
    }
  }
  next_queue_ = (next_queue_ + 1) % queues;
  if (slab.count() == 0) return Step::moved;
  // 3.
  return send(seat, slab);
}

// 1. Descriptors and packets, with one transfer.
// 2. The batch's entry in the work ring: its page is the host's alone.
// 3. Count it before the doorbell: from there on the card may finish it.
Lane::Step Lane::send(Seat& seat, Slab& slab) {
  const std::uint32_t number = sent_.load(std::memory_order_relaxed);
  // 1. and 2.
  slab.write(setup_.epoch);
  const abi::Batch batch = slab.batch(setup_.epoch, number);
  const std::size_t offset = number % ring_entries * sizeof(abi::Batch);
  std::memcpy(ring_->host() + offset, &batch, sizeof batch);
  const Seat::Outcome moved = seat.run([&] { return slab.to_card() && ring_->to_card(offset, sizeof batch); });
  if (moved == Seat::Outcome::abandoned) return Step::leave;
  if (moved == Seat::Outcome::failed) {
    setup_.loss->report("a transfer of packets to the card failed");
    return Step::moved;
  }
  // 3.
  if (number == reaped_.load(std::memory_order_relaxed)) progress_.moved();
  jobs_.fetch_add(slab.count(), std::memory_order_relaxed);
  bytes_.fetch_add(slab.input_bytes(), std::memory_order_relaxed);
  sent_.store(number + 1, std::memory_order_release);
  const Seat::Outcome rung = seat.run([&] {
    setup_.port->write_register(register_of(abi::reg::work_tail), number + 1);
    return true;
  });
  return rung == Seat::Outcome::abandoned ? Step::leave : Step::moved;
}

// 1. How many batches the card has finished. It cannot have finished more than it has.
// 2. No progress for too long is a loss.
// 3. Each finished batch: its output slab comes over, then its jobs are finished in order.
Lane::Step Lane::reap(Seat& seat) {
  const std::uint32_t reaped = reaped_.load(std::memory_order_relaxed);
  const std::uint32_t inside = sent_.load(std::memory_order_relaxed) - reaped;
  if (inside == 0) return Step::idle;
  // 1.
  std::uint32_t head = 0;
  const Seat::Outcome read = seat.run([&] {
    head = setup_.port->read_register(register_of(abi::reg::work_head));
    return true;
  });
  if (read == Seat::Outcome::abandoned) return Step::leave;
  const std::uint32_t finished = head - reaped;
  if (finished > inside) {
    setup_.loss->report(head == abi::lost_value
                            ? std::string("its registers read 0xffffffff")
                            : fmt::format("it says that it finished {} batches of {}", finished, inside));
    return Step::moved;
  }
  // 2.
  if (finished == 0) {
    if (progress_.too_long())
      setup_.loss->report(fmt::format("no batch was finished for {} ms", setup_.patience.limit_ns / 1'000'000));
    return Step::idle;
  }
  progress_.moved();
  // 3.
  for (std::uint32_t i = 0; i < finished; ++i) {
    Slab& slab = *slabs_[(reaped + i) % setup_.slabs];
    const Seat::Outcome moved = seat.run([&] { return slab.from_card(); });
    if (moved == Seat::Outcome::abandoned) return Step::leave;
    if (moved == Seat::Outcome::failed) {
      setup_.loss->report("a transfer of packets from the card failed");
      return Step::moved;
    }
    finish(slab);
    if (setup_.loss->lost()) {
      // finish() has given back the rest of this batch.
      reaped_.store(reaped + i + 1, std::memory_order_release);
      return Step::moved;
    }
    reaped_.store(reaped + i + 1, std::memory_order_release);
  }
  return Step::moved;
}

// The SA's commands on their way to the card come first: its tables must know the SA. False: the card is lost, or the
// thread must leave.
bool Lane::settled(Seat& seat, const Job& job, Step& step) {
  for (const Stage& stage : job.stages) {
    if (stage.operation == Operation::none || stage.sa.index >= setup_.view.size()) continue;
    SaPlan& plan = setup_.view.plan(stage.sa.index);
    if (plan.unanswered.load(std::memory_order_acquire) == 0) continue;
    const Seat::Outcome outcome = seat.run([&] { return setup_.commands->settle(plan).ok(); });
    step = outcome == Seat::Outcome::abandoned ? Step::leave : Step::moved;
    if (outcome != Seat::Outcome::done) return false;
  }
  return true;
}

// A job ends: to its worker's ring, which is never full, for the worker lets in no more jobs than it holds.
void Lane::complete(const InFlight& entry, Verdict verdict) noexcept {
  (void)entry.queue->done.push({entry.job, verdict});
}

void Lane::give_back(Slab& slab, std::uint32_t from) {
  for (std::uint32_t i = from; i < slab.count(); ++i) complete(slab.entry(i), Verdict::engine_lost);
  lost_jobs_.fetch_add(slab.count() - from, std::memory_order_relaxed);
  slab.clear();
}

// Batches in flight, a batch that was being gathered, then what waits in the rings. The slabs' memory stays as it is
// for the card, which may still write to it.
void Lane::give_back_all() {
  const std::uint32_t sent = sent_.load(std::memory_order_relaxed);
  for (std::uint32_t n = reaped_.load(std::memory_order_relaxed); n != sent; ++n) {
    give_back(*slabs_[n % setup_.slabs], 0);
    reaped_.store(n + 1, std::memory_order_release);
  }
  give_back(*slabs_[sent % setup_.slabs], 0);
  for (const auto& queue : setup_.queues) {
    QueueLane& lane = queue->lane[static_cast<std::size_t>(direction_)];
    while (Job* const* front = lane.to_card.front()) {
      Job* const job = *front;
      lane.to_card.pop();
      InFlight entry;
      entry.job = job;
      entry.queue = &lane;
      job->verdict_stage = 0;
      complete(entry, Verdict::engine_lost);
      lost_jobs_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace linecrypt::card
