#include "host/gateway/ports/poll_thread.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace linecrypt::gateway {

namespace {

// A companion TAP costs a system call a look: while the wire is busy it waits this long at most.
constexpr std::uint64_t companion_interval_ns = 50'000;
constexpr std::uint64_t tick_interval_ns = 1'000'000;
constexpr std::uint64_t pause_ns = 50'000'000;  // shorter than the control thread stays attentive
constexpr std::uint64_t drain_limit_ns = 2'000'000'000;

// Resting: some empty loops, then short sleeps that double, then waiting for a frame. Where a device has nothing to
// wait on, the longest sleep is a millisecond (DESIGN: idle workers).
constexpr std::uint32_t spin_loops = 32;
constexpr std::uint64_t sleep_shortest_ns = 50'000;
constexpr std::uint32_t sleep_doublings = 4;  // 50 us ... 800 us
constexpr std::uint64_t sleep_longest_ns = 1'000'000;
// While jobs are inside an engine: about as long as a card takes for a batch. Its transfer threads need processors,
// too.
constexpr std::uint64_t in_flight_sleep_ns = 20'000;
constexpr int wait_ms = 10;
constexpr unsigned long timer_slack_ns = 1'000;
constexpr int worker_nice = -10;

void sleep_ns(std::uint64_t ns) {
  const timespec time{0, static_cast<long>(ns)};
  ::nanosleep(&time, nullptr);
}

}  // namespace

PollThread::PollThread(const PollSettings& settings, PortIo& io, Pipeline& pipeline, Quiescence& quiescence,
                       Clock clock, int activity)
    : settings_(settings), io_(io), pipeline_(pipeline), quiescence_(quiescence), clock_(clock), activity_(activity) {}

PollThread::~PollThread() {
  if (thread_.joinable()) static_cast<void>(stop());
  if (wakeup_ >= 0) ::close(wakeup_);
}

Result<void> PollThread::start() {
  wakeup_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (wakeup_ < 0) return Error{fmt::format("worker: epoll: {}", std::strerror(errno))};
  for (PortIndex i = 0; i < io_.size(); ++i) {
    const int wire = io_.port(i).device->wait_descriptor();
    all_waitable_ = all_waitable_ && wire >= 0;
    for (const int descriptor : {wire, io_.port(i).companion->descriptor()}) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = descriptor;
      if (descriptor >= 0 && ::epoll_ctl(wakeup_, EPOLL_CTL_ADD, descriptor, &event) != 0)
        return Error{fmt::format("worker: epoll: {}", std::strerror(errno))};
    }
  }
  thread_ = std::thread([this] { run(); });
  while (started_.load(std::memory_order_acquire) == 0) sleep_ns(sleep_shortest_ns);
  if (started_.load(std::memory_order_acquire) < 0) {
    thread_.join();
    return Error{settings_.core
                     ? fmt::format("worker: cannot run on core {}; this process may use others only", *settings_.core)
                     : std::string("worker: DPDK has no thread slot left")};
  }
  return {};
}

std::uint32_t PollThread::stop() {
  stopping_.store(true, std::memory_order_release);
  if (thread_.joinable()) thread_.join();
  return left_.load(std::memory_order_acquire);
}

void PollThread::run() {
  ::prctl(PR_SET_NAME, "lc-worker");
  ::prctl(PR_SET_TIMERSLACK, timer_slack_ns);
  // Before other programs where we may: a ring that is not emptied in time loses frames. (Of this thread alone.)
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, worker_nice));
  bool ready = rte_thread_register() == 0;
  if (ready && settings_.core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(*settings_.core, &set);
    ready = pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
  }
  started_.store(ready ? 1 : -1, std::memory_order_release);
  if (!ready) return;
  quiescence_.enter();
  loop();
  drain();
  quiescence_.leave();
  rte_thread_unregister();
}

// Steps of a round: wires, companions, finished jobs, the millisecond's chores, a quiescent point, rest.
void PollThread::loop() {
  std::uint32_t idle_loops = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    now_ns_ = clock_.now_ns(clock_.self);
    std::uint32_t work = poll_wires();
    if (now_ns_ - last_companion_ns_ >= companion_interval_ns) work += poll_companions();
    work += pipeline_.poll();
    if (now_ns_ - last_tick_ns_ >= tick_interval_ns) {
      last_tick_ns_ = now_ns_;
      io_.refill(now_ns_);
      pipeline_.tick();
    }
    quiescence_.quiescent();
    counters_.loops.add();
    if (work != 0) {
      counters_.work.add(work);
      if (now_ns_ - last_work_ns_ >= pause_ns) tell_control();
      last_work_ns_ = now_ns_;
      idle_loops = 0;
      continue;
    }
    ++idle_loops;
    if (settings_.always) continue;
    if (pipeline_.in_flight() != 0) {
      if (idle_loops > spin_loops) sleep_ns(in_flight_sleep_ns);
      continue;
    }
    const bool waits = all_waitable_ && idle_loops > spin_loops + sleep_doublings;
    rest(idle_loops);
    // A timeout without a frame does not start the whole ladder again.
    if (waits) idle_loops = spin_loops + sleep_doublings;
  }
}

std::uint32_t PollThread::poll_wires() noexcept {
  std::uint32_t total = 0;
  std::array<Frame*, burst_size> frames{};
  for (PortIndex i = 0; i < io_.size(); ++i) {
    const std::uint32_t count = io_.receive(i, frames);
    if (count == 0) continue;
    pipeline_.process(i, Origin::wire, {frames.data(), count});
    total += count;
  }
  return total;
}

std::uint32_t PollThread::poll_companions() noexcept {
  last_companion_ns_ = now_ns_;
  std::uint32_t total = 0;
  std::array<Frame*, burst_size> frames{};
  for (PortIndex i = 0; i < io_.size(); ++i) {
    const std::uint32_t count = io_.receive_companion(i, frames);
    if (count == 0) continue;
    pipeline_.process(i, Origin::companion, {frames.data(), count});
    total += count;
  }
  return total;
}

void PollThread::rest(std::uint32_t idle_loops) {
  if (idle_loops <= spin_loops) {
    if (idle_loops == spin_loops) io_.kick();
    return;
  }
  quiescence_.sleep();
  const std::uint32_t step = idle_loops - spin_loops - 1;
  if (step < sleep_doublings) {
    counters_.sleeps.add();
    sleep_ns(std::min(sleep_shortest_ns << step, sleep_longest_ns));
  } else if (all_waitable_) {
    wait();
  } else {
    counters_.sleeps.add();
    sleep_ns(sleep_longest_ns);
  }
  quiescence_.wake();
}

void PollThread::wait() {
  counters_.waits.add();
  std::array<epoll_event, 4> events{};
  const int ready = ::epoll_wait(wakeup_, events.data(), static_cast<int>(events.size()), wait_ms);
  if (ready <= 0) return;
  // A netdev that went down or away is an error that stays: take it off the socket, and do not spin on it.
  for (int i = 0; i < ready; ++i) {
    if ((events[static_cast<std::size_t>(i)].events & (EPOLLERR | EPOLLHUP)) == 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    static_cast<void>(::getsockopt(events[static_cast<std::size_t>(i)].data.fd, SOL_SOCKET, SO_ERROR, &error, &size));
    sleep_ns(sleep_longest_ns);
  }
}

// Leases, lifetimes and next hops want the control thread's attention again.
void PollThread::tell_control() noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(activity_, &one, sizeof one));
}

// What came in goes out; nothing more comes in.
void PollThread::drain() {
  const std::uint64_t end = clock_.now_ns(clock_.self) + drain_limit_ns;
  while (pipeline_.in_flight() != 0 && clock_.now_ns(clock_.self) < end) {
    static_cast<void>(pipeline_.poll());
    quiescence_.quiescent();
  }
  io_.kick();
  left_.store(pipeline_.in_flight(), std::memory_order_release);
}

}  // namespace linecrypt::gateway
