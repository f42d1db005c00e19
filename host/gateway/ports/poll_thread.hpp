// PollThread: the run-to-completion worker. It takes bursts from every wire and companion TAP, runs the pipeline on
// them, and sleeps when there is nothing to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "host/gateway/pipeline/pipeline.hpp"
#include "host/gateway/ports/port_io.hpp"
#include "host/gateway/ports/quiescence.hpp"
#include "linecrypt/counters.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::gateway {

struct PollSettings {
  std::optional<std::uint32_t> core;  // pinned to
  bool always = false;                // never sleep
};

// The worker's own; anyone may read.
struct PollCounters {
  Counter loops;
  Counter work;    // frames taken and jobs finished
  Counter sleeps;  // short ones
  Counter waits;   // for a descriptor
};

class PollThread {
 public:
  // `activity` is an eventfd that the thread writes with the first work after a pause, so that the control thread may
  // sleep as well.
  PollThread(const PollSettings& settings, PortIo& io, Pipeline& pipeline, Quiescence& quiescence, Clock clock,
             int activity);
  ~PollThread();

  // An error when the thread cannot run where it should.
  Result<void> start();
  // Takes no more frames, finishes what is in flight (two seconds at most), ends. Frames left behind: 0 when clean.
  std::uint32_t stop();
  [[nodiscard]] const PollCounters& counters() const noexcept { return counters_; }

 private:
  void run();
  void loop();
  std::uint32_t poll_wires() noexcept;
  std::uint32_t poll_companions() noexcept;
  void drain();
  void rest(std::uint32_t idle_loops);
  void wait();
  void tell_control() noexcept;

  PollSettings settings_;
  PortIo& io_;
  Pipeline& pipeline_;
  Quiescence& quiescence_;
  Clock clock_;
  int activity_;
  int wakeup_ = -1;  // epoll of every descriptor that tells of frames
  bool all_waitable_ = true;
  std::uint64_t now_ns_ = 0;
  std::uint64_t last_companion_ns_ = 0;
  std::uint64_t last_tick_ns_ = 0;
  std::uint64_t last_work_ns_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> started_{0};  // 1: runs, -1: could not
  std::atomic<std::uint32_t> left_{0};
  PollCounters counters_;
  std::thread thread_;
};

}  // namespace linecrypt::gateway
