#include "host/engines/failover_queue.hpp"

#include <algorithm>

#include "host/engines/failover_job.hpp"

namespace linecrypt::engines {
namespace {

constexpr bool goes_on(Verdict verdict) noexcept {
  return verdict == Verdict::ok || verdict == Verdict::unchecked;
}

}  // namespace

FailoverQueue::FailoverQueue(const Setup& setup)
    : setup_(setup),
      secondary_immediate_(setup.secondary != nullptr && setup.secondary->capabilities().immediate),
      outbox_(setup.options.jobs_per_queue),
      splits_(setup.options.splits_per_queue),
      behind_(setup.routes->size),
      split_(setup.routes->size),
      split_waiting_(setup.routes->size),
      marked_(setup.routes->size),
      in_flight_(std::make_unique<std::atomic<std::uint32_t>[]>(setup.routes->size)) {
  waiting_.reserve(setup.options.jobs_per_queue);
  for (int i = 0; i < 4; ++i) flights_.emplace_back(setup.options.jobs_per_queue);
  for (std::uint32_t i = 0; i < splits_.size(); ++i) free_splits_.push_back(i);
}

// 1. Those that waited go first.
// 2. Runs of jobs for one engine go to it together; the first that it does not take ends the burst.
// 3. Jobs of SAs on their way, or behind others of theirs, wait here.
std::uint32_t FailoverQueue::submit(std::span<Job* const> jobs) {
  // 1.
  full_[0] = full_[1] = false;
  if (!waiting_.empty()) pump();
  // 2.
  std::uint32_t accepted = 0;
  std::uint32_t run = 0;  // jobs behind `accepted` that go to `route`
  Route route = Route::none;
  const auto flush = [&] {
    if (run == 0) return true;
    const std::uint32_t taken = engine_of(route)->submit(setup_.id, jobs.subspan(accepted, run));
    for (std::uint32_t i = 0; i < taken; ++i) {
      Job& job = *jobs[accepted + i];
      const std::uint64_t turn = ++turn_;
      Cause cause = Cause::fresh;
      if (job.verdict == Verdict::pending) {
        enter(job, turn, route == Route::primary);
        ++outstanding_;
      } else if (settle(job, route == Route::primary, cause) == Outcome::wait) {
        ++outstanding_;
        wait(job, turn, cause);
      }
    }
    accepted += taken;
    const bool all = taken == run;
    run = 0;
    return all;
  };
  for (Job* const job : jobs) {
    if (outstanding_ + run >= setup_.options.jobs_per_queue) break;
    const Choice choice = choose(*job);
    const bool waits = must_wait(*job, choice);
    if (!waits && !choice.split && choice.route != Route::gone && choice.route != Route::none) {
      if ((run == burst_largest || choice.route != route) && !flush()) return accepted;
      // Behind the flush: what came back lost there may be of the same SA.
      if (!must_wait(*job, choice)) {
        route = choice.route;
        ++run;
        continue;
      }
    } else if (!flush()) {
      return accepted;
    }
    // 3.
    job->verdict_stage = 0;
    if (answer(*job, choice)) {
      // Done with.
    } else if (must_wait(*job, choice)) {
      // An engine that takes no more: this is the caller's to hold.
      if (choice.route == Route::primary ? full_[0] : choice.route == Route::secondary && full_[1]) return accepted;
      job->verdict = Verdict::pending;
      ++outstanding_;
      wait(*job, ++turn_, Cause::fresh);
    } else {
      Cause cause = Cause::fresh;
      Outcome outcome = Outcome::finished;
      Job* leg = nullptr;
      job->verdict = Verdict::pending;
      if (!start_split(*job, turn_ + 1, cause, outcome, leg)) return accepted;
      ++turn_;
      if (outcome == Outcome::finished) {
        conclude(*leg);
      } else {
        ++outstanding_;
        if (outcome == Outcome::wait) wait(*leg, turn_, cause);
      }
    }
    ++accepted;
  }
  flush();
  return accepted;
}

// 1. What waited, and what has come of it. 2. What the engines have finished.
std::uint32_t FailoverQueue::poll(std::span<Job*> done) {
  // 1.
  if (!waiting_.empty()) pump();
  std::uint32_t count = take_outbox(done);
  if (!outbox_.empty()) return count;
  // 2.
  if (in_engine_[0].load(std::memory_order_relaxed) != 0) count += take_engine(true, done.subspan(count));
  if (in_engine_[1].load(std::memory_order_relaxed) != 0) count += take_engine(false, done.subspan(count));
  return count;
}

// ---- where jobs go ----

Engine* FailoverQueue::engine_of(Route route) const noexcept {
  if (route == Route::primary || setup_.secondary == nullptr) return setup_.primary;
  return setup_.secondary;
}

FailoverQueue::Choice FailoverQueue::choose(const Job& inner) const noexcept {
  const Route first = setup_.routes->of(inner.stages[0].sa);
  if (inner.stages[1].operation == Operation::none) return {first, false};
  const Route second = setup_.routes->of(inner.stages[1].sa);
  if (first == second) return {first, false};
  if (first == Route::gone || second == Route::gone) return {Route::gone, false};
  if (first == Route::held || second == Route::held) return {Route::held, false};
  if (first == Route::none) return {Route::none, false};
  return {first, second != Route::none};
}

// What no engine needs to be asked.
bool FailoverQueue::answer(Job& inner, Choice choice) noexcept {
  if (choice.route == Route::none) {
    inner.verdict = inner.stages[0].operation == Operation::none ? Verdict::wrong_operation : Verdict::stale_sa;
  } else if (choice.route == Route::gone) {
    inner.verdict = Verdict::engine_lost;
    counters_.returned_lost.add();
  } else {
    return false;
  }
  inner.verdict_stage = 0;
  return true;
}

// Order per SA: behind those that wait; and behind those in two legs, where it could overtake them.
bool FailoverQueue::must_wait(const Job& job, Choice choice) const noexcept {
  return choice.route == Route::held || is_behind(job) || behind_split(job, choice);
}

bool FailoverQueue::is_behind(const Job& job) const noexcept {
  bool behind = false;
  each_sa(job, behind_.size(), [&](std::uint32_t index) { behind = behind || behind_[index] != 0; });
  return behind;
}

// A secondary that finishes at once would overtake a job whose other leg is in the primary; jobs that end in the
// primary, or come from it, stay in order there. A secondary that takes its time keeps no order with anybody.
bool FailoverQueue::behind_split(const Job& job, Choice choice) const noexcept {
  if (secondary_immediate_ && (choice.split || choice.route == Route::primary)) return false;
  bool waits = false;
  each_sa(job, split_.size(), [&](std::uint32_t i) { waits = waits || split_[i] != split_waiting_[i]; });
  return waits;
}

bool FailoverQueue::give(Job& inner, std::uint64_t turn, Route route, Cause& cause, Outcome& outcome) {
  Job* one = &inner;
  const bool primary = engine_of(route) == setup_.primary;
  if (engine_of(route)->submit(setup_.id, {&one, 1}) == 0) return false;
  if (inner.verdict == Verdict::pending) {
    enter(inner, turn, primary);
    outcome = Outcome::inside;
    return true;
  }
  outcome = settle(inner, primary, cause);
  return true;
}

// The first leg. False: no Split is free, or the engine takes none.
bool FailoverQueue::start_split(Job& job, std::uint64_t turn, Cause& cause, Outcome& outcome, Job*& leg) {
  if (free_splits_.empty()) return false;
  Split& split = splits_[free_splits_.back()];
  split.leg = job;
  split.leg.stages = {job.stages[0], Stage{}};
  split.leg.verdict = Verdict::pending;
  split.job = &job;
  split.turn = turn;
  split.at = 0;
  free_splits_.pop_back();
  count_split(job, 1);
  if (!give(split.leg, turn, setup_.routes->of(job.stages[0].sa), cause, outcome)) {
    count_split(job, -1);
    free_splits_.push_back(static_cast<std::uint32_t>(&split - splits_.data()));
    return false;
  }
  counters_.split.add();
  leg = &split.leg;
  return true;
}

// What the engine's verdict means here.
//
// 1. Lost with the primary: its packets are as they were submitted, so it is done again from them. The number it may
//    have used there stays spent: its SA goes on with other numbers.
// 2. Egress that the primary does not process: the whole SA moves, because two lease holders at once would push the
//    peer's window past the slower one's packets. Ingress stays: anybody can send such a packet, nothing of it is
//    authenticated, and two windows of one SA would each let a copy pass.
// 3. First leg done: the second.
FailoverQueue::Outcome FailoverQueue::settle(Job& inner, bool from_primary, Cause& cause) {
  if (from_primary) {
    // 1.
    if (inner.verdict == Verdict::engine_lost) {
      setup_.routes->loss_seen.store(true, std::memory_order_release);
      if (setup_.secondary == nullptr) {
        counters_.returned_lost.add();
        return Outcome::finished;
      }
      inner.verdict = Verdict::pending;
      cause = Cause::redo;
      return Outcome::wait;
    }
    // 2.
    if (inner.verdict == Verdict::unsupported && setup_.secondary != nullptr && inner.source->next == nullptr) {
      const Stage& stage = inner.stages[std::min<std::size_t>(inner.verdict_stage, 1)];
      if (is_ingress(stage.operation)) {
        counters_.refused.add();
        return Outcome::finished;
      }
      if (stage.sa.index < setup_.routes->size && setup_.routes->of(stage.sa) != Route::none) {
        setup_.routes->punted[stage.sa.index].store(true, std::memory_order_relaxed);
        setup_.routes->punt_seen.store(true, std::memory_order_release);
        counters_.punted.add();
        inner.verdict = Verdict::pending;
        cause = Cause::punted;
        return Outcome::wait;
      }
    }
  }
  // 3.
  if (!is_leg(inner) || split_of(inner).at == 1 || !goes_on(inner.verdict)) return Outcome::finished;
  return second_leg(split_of(inner), cause);
}

// In place in the destination. At once where nothing of its SA waits.
FailoverQueue::Outcome FailoverQueue::second_leg(Split& split, Cause& cause) {
  split.at = 1;
  split.leg.source = split.leg.destination;
  split.leg.stages = {split.job->stages[1], Stage{}};
  split.leg.verdict = Verdict::pending;
  cause = Cause::leg;
  const Route route = setup_.routes->of(split.leg.stages[0].sa);
  const std::uint32_t index = split.leg.stages[0].sa.index;
  const bool waits = index < behind_.size() && (behind_[index] != 0 || marked_[index] == scan_);
  if (route == Route::held || route == Route::gone || waits) return Outcome::wait;
  Outcome outcome = Outcome::wait;
  if (!give(split.leg, split.turn, route, cause, outcome)) return Outcome::wait;
  return outcome;
}

}  // namespace linecrypt::engines
