#include "host/engines/failover_queue.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <utility>

namespace linecrypt::engines {
namespace {

constexpr bool is_ingress(Operation operation) noexcept {
  return operation == Operation::esp_decapsulate || operation == Operation::macsec_validate;
}

constexpr bool goes_on(Verdict verdict) noexcept {
  return verdict == Verdict::ok || verdict == Verdict::unchecked;
}

// Calls `f` with the index of each SA that the job names.
template <typename F>
void each_sa(const Job& job, std::size_t count, F f) noexcept {
  for (const Stage& stage : job.stages)
    if (stage.operation != Operation::none && stage.sa.index < count) f(stage.sa.index);
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

// ---- bookkeeping ----

bool FailoverQueue::is_leg(const Job& inner) const noexcept {
  const auto* const from = reinterpret_cast<const std::uint8_t*>(splits_.data());
  const auto* const at = reinterpret_cast<const std::uint8_t*>(&inner);
  return !std::less<>()(at, from) && std::less<>()(at, from + splits_.size() * sizeof(Split));
}

bool FailoverQueue::is_second_leg(Job& inner) noexcept {
  return is_leg(inner) && split_of(inner).at == 1;
}

Job& FailoverQueue::conclude(Job& inner) noexcept {
  if (!is_leg(inner)) return inner;
  Split& split = split_of(inner);
  Job& job = *split.job;
  job.verdict_stage = split.at;
  job.number = inner.number;
  count_split(job, -1);
  free_splits_.push_back(static_cast<std::uint32_t>(&split - splits_.data()));
  job.verdict = inner.verdict;
  return job;
}

FailoverQueue::Flight& FailoverQueue::flight_of(const Job& inner, bool primary) noexcept {
  return flights_[(primary ? 0U : 2U) + (is_ingress(inner.stages[0].operation) ? 1U : 0U)];
}

void FailoverQueue::Flight::push(const Job* job, std::uint64_t turn) noexcept {
  if (count_ == entries_.size()) {
    // Jobs that came back out of order left holes: close them. There are some, as no more jobs than this are out.
    std::rotate(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_), entries_.end());
    const auto end = std::remove_if(entries_.begin(), entries_.end(), [](const Entry& one) { return !one.job; });
    head_ = 0;
    count_ = static_cast<std::size_t>(end - entries_.begin());
  }
  entries_[(head_ + count_++) % entries_.size()] = {job, turn};
}

std::uint64_t FailoverQueue::Flight::take(const Job* job) noexcept {
  std::uint64_t turn = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    Entry& entry = entries_[(head_ + i) % entries_.size()];
    if (entry.job != job) continue;
    turn = entry.turn;
    entry.job = nullptr;
    break;
  }
  for (; count_ != 0 && entries_[head_].job == nullptr; --count_) head_ = (head_ + 1) % entries_.size();
  return turn;
}

void FailoverQueue::enter(const Job& inner, std::uint64_t turn, bool primary) noexcept {
  each_sa(inner, setup_.routes->size, [this](std::uint32_t index) {
    in_flight_[index].store(in_flight_[index].load(std::memory_order_relaxed) + 1, std::memory_order_release);
  });
  std::atomic<std::uint32_t>& inside = in_engine_[primary ? 0 : 1];
  inside.store(inside.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  flight_of(inner, primary).push(&inner, turn);
}

std::uint64_t FailoverQueue::leave(const Job& inner, bool primary) noexcept {
  each_sa(inner, setup_.routes->size, [this](std::uint32_t index) {
    in_flight_[index].store(in_flight_[index].load(std::memory_order_relaxed) - 1, std::memory_order_release);
  });
  std::atomic<std::uint32_t>& inside = in_engine_[primary ? 0 : 1];
  inside.store(inside.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  return flight_of(inner, primary).take(&inner);
}

void FailoverQueue::count_behind(const Job& job, int by) noexcept {
  each_sa(job, behind_.size(), [&](std::uint32_t index) { behind_[index] += static_cast<std::uint32_t>(by); });
}
// Of a job that waits in its second leg, or in its first again.
void FailoverQueue::count_leg(Job& inner, int by) noexcept {
  if (!is_leg(inner)) return;
  each_sa(*split_of(inner).job, split_waiting_.size(),
          [&](std::uint32_t index) { split_waiting_[index] += static_cast<std::uint32_t>(by); });
  if (is_second_leg(inner)) legs_waiting_ += static_cast<std::uint32_t>(by);
}
void FailoverQueue::count_split(const Job& job, int by) noexcept {
  each_sa(job, split_.size(), [&](std::uint32_t index) { split_[index] += static_cast<std::uint32_t>(by); });
}

void FailoverQueue::wait(Job& inner, std::uint64_t turn, Cause cause) {
  const Waiting entry{&inner, turn, now() + setup_.options.hold_limit_ns, cause};
  auto at = waiting_.end();
  while (at != waiting_.begin() && std::prev(at)->turn > turn) --at;
  waiting_.insert(at, entry);
  if (cause != Cause::punted) count_behind(original(inner), 1);
  count_leg(inner, 1);
}

void FailoverQueue::to_outbox(Job& inner) {
  Job& job = conclude(inner);
  outbox_.push(&job);
  count_behind(job, 1);
}

// A second leg's input has been through the first: of ingress nothing may be seen.
void FailoverQueue::give_up(Job& inner, Cause cause, bool answered) noexcept {
  const bool second = is_second_leg(inner);
  if (second && is_ingress(inner.stages[0].operation))
    std::memset(inner.destination->data, 0, inner.destination->length);
  // engine_lost says that the packets are as they were submitted.
  const bool lost = !second && cause == Cause::redo;
  if (second || !answered) inner.verdict = lost ? Verdict::engine_lost : Verdict::engine_busy;
  inner.verdict_stage = 0;
  if (!answered) (lost ? counters_.returned_lost : counters_.returned_busy).add();
}

// Those that wait, in order; each SA stops at its first job that has to stay.
//
// 1. Runs of jobs for one engine go to it together. 2. What is no part of the run comes behind it.
void FailoverQueue::pump() {
  const std::uint64_t time = now();
  ++scan_;
  full_[0] = full_[1] = false;
  kept_ = 0;
  std::array<Waiting, burst_largest> run;
  std::uint32_t count = 0;
  Route route = Route::none;
  const auto flush = [&] { give_run({run.data(), std::exchange(count, 0)}, route); };
  const std::size_t all = waiting_.size();
  for (std::size_t i = 0; i < all; ++i) {
    const Waiting entry = waiting_[i];
    count_leg(*entry.inner, -1);
    // 1.
    Choice choice = choose(*entry.inner);
    if (joins_run(entry, choice, time)) {
      if (count == burst_largest || (count != 0 && choice.route != route)) flush();
      if (joins_run(entry, choice, time)) {
        route = choice.route;
        run[count++] = entry;
        continue;
      }
    }
    // 2.
    flush();
    pump(entry, time);
  }
  flush();
  waiting_.resize(kept_);
}

bool FailoverQueue::is_marked(const Job& job) const noexcept {
  bool marked = false;
  each_sa(job, marked_.size(), [&](std::uint32_t index) { marked = marked || marked_[index] == scan_; });
  return marked;
}

bool FailoverQueue::joins_run(const Waiting& entry, Choice choice, std::uint64_t time) noexcept {
  if (choice.split || (choice.route != Route::primary && choice.route != Route::secondary)) return false;
  if (entry.cause == Cause::done || time >= entry.deadline || full_[choice.route == Route::primary ? 0 : 1])
    return false;
  if (entry.cause == Cause::punted && choice.route == Route::primary) return false;
  Job& job = original(*entry.inner);
  return !is_marked(job) && (is_leg(*entry.inner) || !behind_split(job, choice));
}

void FailoverQueue::give_run(std::span<Waiting> run, Route route) {
  if (run.empty()) return;
  std::array<Job*, burst_largest> jobs{};
  for (std::size_t i = 0; i < run.size(); ++i) jobs[i] = run[i].inner;
  const bool primary = engine_of(route) == setup_.primary;
  const std::uint32_t taken = engine_of(route)->submit(setup_.id, {jobs.data(), run.size()});
  for (std::uint32_t i = 0; i < run.size(); ++i) {
    Waiting& entry = run[i];
    if (i >= taken) {
      full_[route == Route::primary ? 0 : 1] = true;
      stay(entry, entry.cause);
      continue;
    }
    if (entry.cause == Cause::redo) counters_.redone.add();
    if (entry.inner->verdict == Verdict::pending) {
      enter(*entry.inner, entry.turn, primary);
      go(entry);
      continue;
    }
    Cause cause = entry.cause;
    settled(entry, settle(*entry.inner, primary, cause), cause);
  }
}

// One that goes alone or not at all.
//
// 1. Behind another of its SAs that stays. 2. Too late. 3. Its SAs are still on their way, or their engine is full.
// 4. To its engine.
void FailoverQueue::pump(Waiting entry, std::uint64_t time) {
  Job& job = original(*entry.inner);
  // 1.
  if (is_marked(job)) return stay(entry, entry.cause);
  if (entry.cause == Cause::done) return settled(entry, Outcome::finished, entry.cause);
  // 2.
  const Choice choice = choose(*entry.inner);
  const bool answered = answer(*entry.inner, choice);
  if (answered || time >= entry.deadline) {
    give_up(*entry.inner, entry.cause, answered);
    return settled(entry, Outcome::finished, entry.cause);
  }
  // 3. A punted job waits until its SA has left the primary.
  bool& full = full_[choice.route == Route::primary ? 0 : 1];
  if (!choice.split || full || behind_split(job, choice)) return stay(entry, entry.cause);
  // 4.
  Outcome outcome = Outcome::wait;
  Cause cause = entry.cause;
  if (!start_split(*entry.inner, entry.turn, cause, outcome, entry.inner)) {
    full = true;
    return stay(entry, entry.cause);
  }
  if (entry.cause == Cause::redo) counters_.redone.add();
  settled(entry, outcome, cause);
}

// It keeps its place; `cause` is why from now on.
void FailoverQueue::stay(Waiting entry, Cause cause) noexcept {
  Job& job = original(*entry.inner);
  if (cause != Cause::punted) each_sa(job, marked_.size(), [this](std::uint32_t index) { marked_[index] = scan_; });
  if ((entry.cause == Cause::punted) != (cause == Cause::punted)) count_behind(job, cause == Cause::punted ? -1 : 1);
  entry.cause = cause;
  count_leg(*entry.inner, 1);
  waiting_[kept_++] = entry;
}

void FailoverQueue::go(const Waiting& entry) noexcept {
  if (entry.cause != Cause::punted) count_behind(original(*entry.inner), -1);
}

// What became of one that an engine had.
void FailoverQueue::settled(const Waiting& entry, Outcome outcome, Cause cause) {
  if (outcome == Outcome::wait) return stay(entry, cause);
  go(entry);
  if (outcome == Outcome::finished) to_outbox(*entry.inner);
}

std::uint32_t FailoverQueue::take_outbox(std::span<Job*> done) {
  std::uint32_t count = 0;
  while (count < done.size() && !outbox_.empty()) {
    Job* const job = outbox_.pop();
    count_behind(*job, -1);
    --outstanding_;
    done[count++] = job;
  }
  return count;
}

std::uint32_t FailoverQueue::take_engine(bool primary, std::span<Job*> done) {
  if (done.empty()) return 0;
  Engine* const engine = primary ? setup_.primary : setup_.secondary;
  const std::uint32_t came = engine->poll(setup_.id, done);
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < came; ++i) {
    Job& inner = *done[i];
    const std::uint64_t turn = leave(inner, primary);
    Cause cause = Cause::fresh;
    const Outcome outcome = settle(inner, primary, cause);
    if (outcome == Outcome::wait) wait(inner, turn, cause);
    if (outcome != Outcome::finished) continue;
    // In order behind a second leg that waits.
    if (legs_waiting_ != 0 && is_behind(original(inner))) {
      wait(inner, turn, Cause::done);
      continue;
    }
    --outstanding_;
    done[count++] = &conclude(inner);
  }
  return count;
}

}  // namespace linecrypt::engines
