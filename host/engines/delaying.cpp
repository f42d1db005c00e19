#include "host/engines/delaying.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace linecrypt::engines {
namespace {

// One queue's jobs. They are run by the inner engine only when they come out, so that everything a caller may wrongly
// do in between (free the packet, read the verdict, remove the SA) shows.
//
// Order: each job gets a number of polls to wait, never fewer than what the job before it still has to wait. So jobs
// leave in the order they came, which keeps the order of each SA, and each job leaves once.
class DelayedQueue {
 public:
  DelayedQueue(Engine& inner, QueueId id, const DelayingOptions& options)
      : inner_(&inner), id_(id), options_(options), random_(options.seed + static_cast<std::uint64_t>(id)) {}

  // Accepts a part of the jobs at random, as far as there is room.
  std::uint32_t submit(std::span<Job* const> jobs) {
    const std::uint64_t room =
        options_.capacity - std::min<std::uint64_t>(waiting_.size() + inside_, options_.capacity);
    const std::uint64_t most = std::min<std::uint64_t>({jobs.size(), room, options_.most_accepted});
    const std::uint64_t accepted = up_to(most);
    for (std::uint64_t i = 0; i < accepted; ++i) {
      std::uint64_t due = now_ + 1 + up_to(options_.most_polls_late - std::min(options_.most_polls_late, 1U));
      if (!waiting_.empty()) due = std::max(due, waiting_.back().due);
      jobs[i]->verdict = Verdict::pending;
      waiting_.push_back({jobs[i], due});
    }
    return static_cast<std::uint32_t>(accepted);
  }

  // 1. What the inner engine had kept comes first: it keeps their order.
  // 2. Hand it what is due, as much as it takes and as fits into `done`. What it finishes at once comes out now.
  std::uint32_t poll(std::span<Job*> done) {
    ++now_;
    std::uint32_t count = 0;
    // 1.
    count += take_inner(done);
    // 2.
    while (count < done.size() && !waiting_.empty() && waiting_.front().due <= now_) {
      Job* job = waiting_.front().job;
      if (inner_->submit(id_, {&job, 1}) == 0) break;
      waiting_.pop_front();
      if (job->verdict == Verdict::pending) {
        ++inside_;
        continue;
      }
      done[count++] = job;
    }
    return count;
  }

 private:
  struct Waiting {
    Job* job;
    std::uint64_t due;  // the poll from which on it may come out
  };

  std::uint32_t take_inner(std::span<Job*> done) {
    if (inside_ == 0) return 0;
    const std::uint32_t finished = inner_->poll(id_, done);
    inside_ -= finished;
    return finished;
  }

  std::uint64_t up_to(std::uint64_t most) { return std::uniform_int_distribution<std::uint64_t>(0, most)(random_); }

  Engine* inner_;
  QueueId id_;
  DelayingOptions options_;
  std::mt19937_64 random_;
  std::deque<Waiting> waiting_;
  std::uint64_t inside_ = 0;  // accepted by the inner engine, not finished
  std::uint64_t now_ = 0;     // polls so far
};

class DelayingEngine final : public Engine {
 public:
  DelayingEngine(std::unique_ptr<Engine> inner, const DelayingOptions& options)
      : inner_(std::move(inner)), options_(options), capabilities_(inner_->capabilities()) {
    capabilities_.engine = "delaying " + capabilities_.engine;
    capabilities_.immediate = false;
  }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] MemoryPlace memory() const noexcept override { return inner_->memory(); }
  Result<void> self_test() override { return inner_->self_test(); }

  Result<void> open(const EngineSetup& setup) override {
    if (auto opened = inner_->open(setup); !opened) return opened;
    queues_.clear();
    for (std::uint32_t i = 0; i < setup.queues; ++i)
      queues_.push_back(std::make_unique<DelayedQueue>(*inner_, static_cast<QueueId>(i), options_));
    return {};
  }
  void close() override {
    inner_->close();
    queues_.clear();
  }

  Result<void> install(SaId id, const Sa& sa, Lease lease, std::uint64_t window_top) override {
    return inner_->install(id, sa, lease, window_top);
  }
  Result<void> update(SaId id, const SaUpdate& update) override { return inner_->update(id, update); }
  Result<void> remove(SaId id) override { return inner_->remove(id); }
  [[nodiscard]] Result<SaState> read(SaId id) const override { return inner_->read(id); }

  std::uint32_t submit(QueueId queue, std::span<Job* const> jobs) override {
    return queues_[static_cast<std::size_t>(queue)]->submit(jobs);
  }
  std::uint32_t poll(QueueId queue, std::span<Job*> done) override {
    return queues_[static_cast<std::size_t>(queue)]->poll(done);
  }
  std::uint32_t events(std::span<Event> out) override { return inner_->events(out); }

 private:
  std::unique_ptr<Engine> inner_;
  DelayingOptions options_;
  Capabilities capabilities_;
  std::vector<std::unique_ptr<DelayedQueue>> queues_;
};

}  // namespace

std::unique_ptr<Engine> make_delaying_engine(std::unique_ptr<Engine> inner, const DelayingOptions& options) {
  return std::make_unique<DelayingEngine>(std::move(inner), options);
}

}  // namespace linecrypt::engines
