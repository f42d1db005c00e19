// Jobs of a FailoverQueue on their way: inside an engine, waiting for one, or finished for poll().
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <iterator>
#include <utility>

#include "host/engines/failover_job.hpp"
#include "host/engines/failover_queue.hpp"

namespace linecrypt::engines {

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
