// FailoverQueue: the worker's side of a failover engine: gives each job to the engine where its SAs are, and keeps it
// while they are on their way. Inside host/engines only.
//
// Jobs go to the engines as they are. Only one whose two SAs are in different engines goes in two legs, by a job of our
// own (Split), the second leg in place in its destination.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/engines/failover.hpp"
#include "linecrypt/counters.hpp"
#include "linecrypt/engine.hpp"

namespace linecrypt::engines {

// Where an SA's jobs go. The control thread writes, workers read.
enum class Route : std::uint8_t {
  none,       // not installed: stale_sa
  primary,    //
  secondary,  //
  held,       // on its way: jobs wait
  gone,       // no engine has it and none will soon: engine_lost
};

struct Routes {
  explicit Routes(std::size_t count)
      : size(count),
        route(std::make_unique<std::atomic<Route>[]>(count)),
        punted(std::make_unique<std::atomic<bool>[]>(count)) {}

  [[nodiscard]] Route of(SaId sa) const noexcept {
    return sa.index < size ? route[sa.index].load(std::memory_order_acquire) : Route::none;
  }

  std::size_t size;
  std::unique_ptr<std::atomic<Route>[]> route;
  // ---- workers write, the control thread takes ----
  std::unique_ptr<std::atomic<bool>[]> punted;  // the primary does not process a packet that this egress SA must send
  std::atomic<bool> punt_seen{false};
  std::atomic<bool> loss_seen{false};
};

struct QueueCounters {
  Counter redone;         // came back from the lost primary, done by the secondary
  Counter returned_lost;  // given back as engine_lost
  Counter returned_busy;  // given back as engine_busy: waited too long for an SA on its way
  Counter punted;         // egress jobs that the primary did not process
  Counter refused;        // ingress jobs that the primary did not process
  Counter split;          // done in two legs
};

class FailoverQueue {
 public:
  struct Setup {
    Engine* primary = nullptr;
    Engine* secondary = nullptr;  // none: what the primary loses is lost
    QueueId id{};
    Routes* routes = nullptr;
    Clock clock{};
    FailoverOptions options{};
  };
  explicit FailoverQueue(const Setup& setup);

  // ---- worker ----
  std::uint32_t submit(std::span<Job* const> jobs);
  std::uint32_t poll(std::span<Job*> done);

  // ---- control thread ----
  // Jobs inside an engine that name the SA. After its route was held and all workers passed a quiescent point it only
  // falls; at 0 everything the worker learnt of the SA is visible.
  [[nodiscard]] std::uint32_t in_flight(std::uint32_t index) const noexcept {
    return in_flight_[index].load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint32_t in_primary() const noexcept { return in_engine_[0].load(std::memory_order_acquire); }
  [[nodiscard]] const QueueCounters& counters() const noexcept { return counters_; }

 private:
  static constexpr std::uint32_t burst_largest = 64;

  // Why a job waits.
  enum class Cause : std::uint8_t {
    fresh,   // not given to an engine yet
    redo,    // came back from the lost primary
    punted,  // the primary does not process it; it waits for its SA to move, and nobody waits behind it
    leg,     // its second leg
    done,    // finished, behind a second leg of its SA
  };
  // A job in two legs. `leg` is what the engines see; first, so that its address is the Split's.
  struct Split {
    Job leg;
    Job* job = nullptr;
    std::uint64_t turn = 0;
    std::uint8_t at = 0;
  };
  // `inner` is the caller's job or a Split's leg. `turn` counts the jobs as they were accepted: what waits is kept in
  // this order, whatever way it came here.
  struct Waiting {
    Job* inner = nullptr;
    std::uint64_t turn = 0;
    std::uint64_t deadline = 0;
    Cause cause = Cause::fresh;
  };
  struct Choice {
    Route route = Route::none;
    bool split = false;
  };
  // What becomes of a job after an engine had it.
  enum class Outcome : std::uint8_t { finished, inside, wait };

  // Finished jobs for poll(), sized for all that can be outstanding.
  class Outbox {
   public:
    explicit Outbox(std::size_t size) : jobs_(size) {}
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    void push(Job* job) noexcept { jobs_[(head_ + count_++) % jobs_.size()] = job; }
    Job* pop() noexcept {
      Job* const job = jobs_[head_];
      head_ = (head_ + 1) % jobs_.size();
      --count_;
      return job;
    }

   private:
    std::vector<Job*> jobs_;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
  };

  // The turns of the jobs that an engine has, of one direction: they come back in order, or nearly.
  class Flight {
   public:
    explicit Flight(std::size_t size) : entries_(size) {}
    void push(const Job* job, std::uint64_t turn) noexcept;
    std::uint64_t take(const Job* job) noexcept;

   private:
    struct Entry {
      const Job* job = nullptr;  // none: taken already
      std::uint64_t turn = 0;
    };
    std::vector<Entry> entries_;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
  };

  // ---- where jobs go ----
  [[nodiscard]] Choice choose(const Job& inner) const noexcept;
  bool answer(Job& inner, Choice choice) noexcept;
  [[nodiscard]] bool must_wait(const Job& job, Choice choice) const noexcept;
  [[nodiscard]] bool is_behind(const Job& job) const noexcept;
  [[nodiscard]] bool behind_split(const Job& job, Choice choice) const noexcept;
  [[nodiscard]] Engine* engine_of(Route route) const noexcept;
  // One job to its engine. False: not taken.
  bool give(Job& inner, std::uint64_t turn, Route route, Cause& cause, Outcome& outcome);
  bool start_split(Job& job, std::uint64_t turn, Cause& cause, Outcome& outcome, Job*& leg);
  Outcome settle(Job& inner, bool from_primary, Cause& cause);
  Outcome second_leg(Split& split, Cause& cause);

  // ---- bookkeeping and what waits (failover_waiting.cpp) ----
  [[nodiscard]] bool is_leg(const Job& inner) const noexcept;
  [[nodiscard]] bool is_second_leg(Job& inner) noexcept;
  [[nodiscard]] Split& split_of(Job& inner) noexcept { return *reinterpret_cast<Split*>(&inner); }
  [[nodiscard]] Job& original(Job& inner) noexcept { return is_leg(inner) ? *split_of(inner).job : inner; }
  Job& conclude(Job& inner) noexcept;  // the caller's job with its verdict
  void enter(const Job& inner, std::uint64_t turn, bool primary) noexcept;
  std::uint64_t leave(const Job& inner, bool primary) noexcept;  // its turn
  [[nodiscard]] Flight& flight_of(const Job& inner, bool primary) noexcept;
  void count_behind(const Job& job, int by) noexcept;
  void count_leg(Job& inner, int by) noexcept;
  void count_split(const Job& job, int by) noexcept;
  void wait(Job& inner, std::uint64_t turn, Cause cause);
  void give_up(Job& inner, Cause cause, bool answered) noexcept;
  void to_outbox(Job& inner);
  void pump();
  void pump(Waiting entry, std::uint64_t time);
  [[nodiscard]] bool is_marked(const Job& job) const noexcept;
  [[nodiscard]] bool joins_run(const Waiting& entry, Choice choice, std::uint64_t time) noexcept;
  void give_run(std::span<Waiting> run, Route route);
  void stay(Waiting entry, Cause cause) noexcept;
  void go(const Waiting& entry) noexcept;
  void settled(const Waiting& entry, Outcome outcome, Cause cause);
  std::uint32_t take_outbox(std::span<Job*> done);
  std::uint32_t take_engine(bool primary, std::span<Job*> done);
  [[nodiscard]] std::uint64_t now() const { return setup_.clock.now_ns(setup_.clock.self); }

  Setup setup_;
  bool secondary_immediate_;
  std::uint32_t outstanding_ = 0;   // accepted, not given back
  std::uint64_t turn_ = 0;          // jobs accepted
  std::vector<Waiting> waiting_;    // by turn; never more than reserved
  std::uint32_t legs_waiting_ = 0;  // second legs among them
  std::vector<Flight> flights_;     // primary and secondary, egress and ingress
  Outbox outbox_;
  std::vector<Split> splits_;
  std::vector<std::uint32_t> free_splits_;

  // By SA index.
  std::vector<std::uint32_t> behind_;         // jobs waiting or in the outbox: a new job goes behind them
  std::vector<std::uint32_t> split_;          // jobs under way in two legs
  std::vector<std::uint32_t> split_waiting_;  // of those, the ones that no engine has now
  std::vector<std::uint32_t> marked_;         // in this scan of pump() a job of it stayed
  std::uint32_t scan_ = 0;
  std::size_t kept_ = 0;           // of waiting_, in this scan
  bool full_[2] = {false, false};  // in this scan the engine took no more
  std::unique_ptr<std::atomic<std::uint32_t>[]> in_flight_;
  std::array<std::atomic<std::uint32_t>, 2> in_engine_{};  // primary, secondary
  QueueCounters counters_;
};

}  // namespace linecrypt::engines
