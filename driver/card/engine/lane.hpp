// Lane: one direction of a session: a transfer thread, its slabs and the work ring.
//
// The thread gathers jobs from all queues into a slab, moves it to the card with one transfer and one doorbell, keeps
// several batches in flight, and takes finished ones back in order: it copies results to the destination packets and
// settles them with their SAs. Workers see none of it but their rings.
//
// When the card is lost, each job that is inside comes back once as engine_lost. That is the thread's own work, or,
// when it hangs in a call to the card, that of the thread that replace() starts in its place.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "driver/card/engine/bell.hpp"
#include "driver/card/engine/command_ring.hpp"
#include "driver/card/engine/queue.hpp"
#include "driver/card/engine/sa_view.hpp"
#include "driver/card/engine/seat.hpp"
#include "driver/card/engine/slab.hpp"
#include "host/values/events.hpp"

namespace linecrypt::card {

// What both lanes of a session share. All of it outlives the lanes' threads, but for a thread that hangs in a call to
// the card: what that one can still reach (port, commands, loss, the lane itself) is held by the lane.
struct LaneSetup {
  std::shared_ptr<CardPort> port;
  std::shared_ptr<CommandRing> commands;
  std::shared_ptr<Loss> loss;
  std::uint32_t epoch = 0;
  SaView view;
  std::span<const std::unique_ptr<Queue>> queues;
  EventFlags* flags = nullptr;      // of the host's slots
  EventFlags* own_flags = nullptr;  // of our own
  Patience patience{};
  std::uint32_t slab_bytes = 0;
  std::uint32_t slabs = 0;
};

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  static constexpr std::uint32_t ring_entries = abi::page / sizeof(abi::Batch);  // one page, the host's

  // Allocates; the thread begins with start(), once the card is enabled.
  static Result<std::shared_ptr<Lane>> make(abi::Direction direction, LaneSetup setup);

  [[nodiscard]] std::uint64_t ring_address() const noexcept { return ring_->address(); }
  void start();
  // Ends the thread; one that hangs is left behind, holding what it may still touch.
  void stop();

  // Worker, behind a push to one of the rings: wakes the thread where it sleeps.
  void work_came() noexcept;

  // Watchdog: the call to the card that the thread is in, 0: none.
  [[nodiscard]] std::uint64_t current_call() const { return seat()->current_call(); }
  // Watchdog, once loss is reported: takes the seat of a thread that hangs and starts another, which gives the jobs
  // back. False: the thread is not inside a call; it will see the loss itself.
  bool replace();

  // Control thread. All batches that are in flight now have come back, or the card is lost.
  void wait_for_batches();
  // The thread has passed a point where it holds no pointer to an SA.
  void wait_for_quiescence();
  // No batch is in flight and none starts until resume().
  void hold();
  void resume();

  [[nodiscard]] Events& events() noexcept { return events_; }
  struct Counts {
    std::uint64_t batches, jobs, bytes, lost_jobs;
    std::uint32_t in_flight;
  };
  [[nodiscard]] Counts counts() const noexcept;
  [[nodiscard]] std::uint64_t slab_memory() const noexcept;

 private:
  Lane(abi::Direction direction, LaneSetup setup);
  enum class Step : std::uint8_t { idle, moved, leave };

  void run(Seat& seat);
  Step gather(Seat& seat);
  Step reap(Seat& seat);
  Step send(Seat& seat, Slab& slab);
  // What becomes of a job before the card sees it. pending: `entry` is complete.
  Verdict admit(const Job& job, InFlight& entry) noexcept;
  Verdict admit_stage(const Job& job, std::uint32_t at, InFlight& entry) noexcept;
  bool settled(Seat& seat, const Job& job, Step& step);
  void finish(Slab& slab);
  const char* doubt_batch(const Slab& slab) const noexcept;
  const char* doubt_completion(const Slab& slab, std::uint32_t i) const noexcept;
  const char* finish_job(Slab& slab, std::uint32_t i) noexcept;
  void give_back(Slab& slab, std::uint32_t from);
  void give_back_all();
  void complete(const InFlight& entry, Verdict verdict) noexcept;
  void rest(std::uint32_t idle_turns) noexcept;
  [[nodiscard]] bool work_waits() const noexcept;
  [[nodiscard]] std::uint32_t register_of(std::uint32_t first) const noexcept {
    return first + static_cast<std::uint32_t>(direction_) * abi::reg::work_stride;
  }
  void spawn();
  [[nodiscard]] std::shared_ptr<Seat> seat() const {
    const std::lock_guard lock(seat_mutex_);
    return seat_;
  }

  abi::Direction direction_;
  LaneSetup setup_;
  std::unique_ptr<CardMemory> ring_;
  std::vector<std::unique_ptr<Slab>> slabs_;  // batch n is in slab n modulo their number
  Events events_;
  Events own_events_;

  // The thread's.
  std::uint32_t cookie_ = 0;
  std::uint32_t next_queue_ = 0;
  Standstill progress_;

  // Of the thread that works now. The watchdog gives the seat to another one while the control thread looks at it.
  mutable std::mutex seat_mutex_;
  std::shared_ptr<Seat> seat_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> hold_{false};
  Bell bell_;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::uint32_t> sent_{0};  // batches
  std::atomic<std::uint32_t> reaped_{0};
  std::atomic<std::uint64_t> jobs_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> lost_jobs_{0};
};

}  // namespace linecrypt::card
