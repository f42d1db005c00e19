// Train: jobs of a burst behind each other that want the same of the same SA. What is the SA's is looked at once for
// all of them: whether it lives, its shape, its numbers, its counters. A burst of a tunnel is mostly one train.
//
// The two protocols have the same shape:
//
//   prepare   checks the SA and each packet, writes headers, fills an AeadOp; a verdict other than pending ends the job
//   (here the provider seals or opens the whole burst)
//   finish    trailer checks, replay window, lifetimes, counters, final packet shape; gives the verdict
//
// so that a burst costs one call into the provider whatever it is made of.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "host/software/aead/provider.hpp"
#include "host/software/sa_head.hpp"
#include "host/software/work.hpp"
#include "host/values/events.hpp"
#include "host/values/likely.hpp"
#include "linecrypt/packet.hpp"
#include "linecrypt/sa_slot.hpp"

namespace linecrypt::software {

inline constexpr std::uint32_t burst_largest = 64;

// Ops of one direction, and the work that each is of.
struct Ops {
  std::array<AeadOp, burst_largest> op;
  std::array<Work, burst_largest> work;
  AeadOp* next_op = op.data();  // the first free ones
  Work* next_work = work.data();

  void clear() noexcept {
    next_op = op.data();
    next_work = work.data();
  }
  [[nodiscard]] std::span<AeadOp> filled() noexcept { return {op.data(), next_op}; }
};

// Jobs on their way through a stage, in the burst's order. Their frames are where the stages work, the destination.
struct Queue {
  std::array<Job*, burst_largest> job{};
  std::uint32_t count = 0;

  void push(Job& one) noexcept { job[count++] = &one; }
};

// What all trains of a burst share in one stage.
struct BurstStage {
  Job* const* next;    // the first job that no train has taken yet
  Job* const* behind;  // the last one
  Queue& further;      // those that go on to the next stage
  Events& events;
  std::uint8_t place;  // 0 or 1: which stage it is

  BurstStage(const Queue& queue, Queue& to_next_stage, Events& events_of_queue, std::uint8_t which) noexcept
      : next(queue.job.data()),
        behind(queue.job.data() + queue.count),
        further(to_next_stage),
        events(events_of_queue),
        place(which) {}

  // `job` is done with this stage. A MACsec frame delivered unvalidated still goes on to its ESP stage, which has its
  // own key and tag.
  [[gnu::always_inline]] void end(Job& job, Verdict verdict) noexcept {
    job.verdict_stage = place;
    if (job.stages[1].operation != Operation::none && place == 0) [[unlikely]] {
      if (verdict == Verdict::ok || verdict == Verdict::unchecked) return further.push(job);
    }
    job.verdict = verdict;
  }
};

struct Train {
  SaSlot* slot = nullptr;
  ContextHead* context = nullptr;  // read from the slot once: prepare and finish see the same
  Ops* ops = nullptr;
  Stage asked;
  // Its ops, and their works up to `end`.
  AeadOp* first_op = nullptr;
  Work* first = nullptr;
  Work* end = nullptr;
};

[[gnu::always_inline]] inline bool same(const Stage& a, const Stage& b) noexcept {
  return std::bit_cast<std::uint64_t>(a.sa) == std::bit_cast<std::uint64_t>(b.sa) && a.operation == b.operation;
}

// The train is of one job.
[[nodiscard, gnu::always_inline]] inline bool is_lone(const Train& train, const BurstStage& stage) noexcept {
  return stage.next + 1 == stage.behind || !same(stage.next[1]->stages[stage.place], train.asked);
}
// Takes the train's jobs out of `stage`, up to the first that wants something else, and calls `prepare(job, work, op)`
// for each. pending: it goes on and has `work` and `op`. Else the job's verdict. The first job is the train's. `lone`:
// it is the only one. A burst of many SAs has little else, and what is begun and ended for a train is then begun and
// ended for each packet.
template <bool lone, typename Prepare>
[[gnu::always_inline]] inline void prepare_jobs(Train& train, BurstStage& stage, Prepare prepare) noexcept {
  // True: the job goes on.
  const auto prepare_one = [&](Job & job, Work & work, AeadOp & op) __attribute__((always_inline)) {
    job.number = 0;
    const Verdict verdict = prepare(job, work, op);
    if (nearly_always(verdict == Verdict::pending)) {
      work.job = &job;
      return true;
    }
    stage.end(job, verdict);
    return false;
  };
  Ops& ops = *train.ops;
  train.first_op = ops.next_op;
  train.first = ops.next_work;
  if constexpr (lone) {
    if (prepare_one(**stage.next++, *ops.next_work, *ops.next_op)) {
      ++ops.next_op;
      ++ops.next_work;
    }
    train.end = ops.next_work;
    return;
  }
  const std::uint8_t place = stage.place;
  const Stage asked = train.asked;
  Job* const* next = stage.next;
  Job* const* const behind = stage.behind;
  AeadOp* op = train.first_op;
  Work* work = train.first;
  do {
    if (!prepare_one(**next, *work, *op)) continue;
    ++work;
    ++op;
  } while (++next != behind && same((*next)->stages[place], asked));
  stage.next = next;
  ops.next_op = train.first_op + (work - train.first);  // not `op`: a prepare that needs none has a register more
  ops.next_work = train.end = work;
}
// Calls `write(job, work, op)` for each job that went on: a second step of prepare, where `op` was not filled in the
// first.
template <typename Write>
[[gnu::always_inline]] inline void write_each(const Train& train, Write write) noexcept {
  AeadOp* op = train.first_op;
  Work* const end = train.end;
  for (Work* work = train.first; work != end; ++work, ++op) write(*work->job, *work, *op);
}

// One job of the train was prepared and went on.
[[nodiscard, gnu::always_inline]] inline bool one_goes_on(const Train& train) noexcept {
  return train.end == train.first + 1;
}
// Calls `finish(job, work, op)` for each job that was prepared, or for the one that was, in that order, so that the
// replay window sees packets as they came. The result is the job's verdict in this stage. The nonce holds a salt, and
// nothing of it stays.
template <bool lone, typename Finish>
[[gnu::always_inline]] inline void finish_jobs(const Train& train, BurstStage& of_burst, Finish finish) noexcept {
  const auto finish_one = [&finish](BurstStage & stage, const Work& work, AeadOp& op) __attribute__((always_inline)) {
    Job& job = *work.job;
    const Verdict verdict = finish(job, work, op);
    op.cleanse_nonce();
    stage.end(job, verdict);
  };
  if constexpr (lone) return finish_one(of_burst, *train.first, *train.first_op);
  BurstStage stage = of_burst;  // a copy is nobody's: no store into a job changes it
  AeadOp* op = train.first_op;
  const Work* const end = train.end;
  for (const Work* work = train.first; work != end; ++work, ++op) finish_one(stage, *work, *op);
}
// The finish of egress: a sealed packet is complete.
[[gnu::always_inline]] inline void finish_sealed(const Train& train, BurstStage& stage) noexcept {
  const auto complete = [](Job&, const Work&, const AeadOp&) { return Verdict::ok; };
  one_goes_on(train) ? finish_jobs<true>(train, stage, complete) : finish_jobs<false>(train, stage, complete);
}

}  // namespace linecrypt::software
