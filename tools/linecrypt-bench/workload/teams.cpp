#include "tools/linecrypt-bench/workload/teams.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <new>
#include <thread>
#include <vector>

#include "tools/linecrypt-bench/measure/stopwatch.hpp"

namespace linecrypt::bench {
namespace {

constexpr std::size_t team_size = 2;

// Where a worker waits for its turn, and what it brings back. Shared with the processes: nothing here points anywhere.
struct alignas(128) Seat {
  sem_t turn;
  sem_t done;
  bool leave = false;
  double ns = 0;
  char wrong[256] = {};

  void say(const std::string& text) { wrong[std::min(text.copy(wrong, sizeof wrong - 1), sizeof wrong - 1)] = '\0'; }
};

struct Team {
  Seat seats[team_size];
  alignas(128) std::atomic<std::uint32_t> ready{0};  // counts up for ever: two more a turn
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "processes share it");

struct Board {
  Team workers;
  Team processes;
};

struct Unmap {
  void operator()(Board* board) const { (void)::munmap(board, sizeof(Board)); }
};

void wait_on(sem_t& semaphore) {
  while (::sem_wait(&semaphore) != 0 && errno == EINTR) {
  }
}

bool pin_to(int core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  return ::sched_setaffinity(0, sizeof one, &one) == 0;
}

// One worker's slice. 1. Both are there, their caches warm. 2. Both run for as long, whatever comes of it. 3. The last
// burst is checked.
void work(PathSide& side, Team& team, Seat& seat, std::uint32_t turn, double slice_ns) {
  // 1.
  for (int i = 0; i < 2; ++i) {
    side.prepare();
    side.run();
  }
  team.ready.fetch_add(1);
  while (team.ready.load() < turn * team_size) ::sched_yield();
  // 2.
  double sum = 0;
  double bursts = 0;
  const std::uint64_t start = Stopwatch::begin();
  do {
    side.prepare();
    const std::uint64_t begin = Stopwatch::begin();
    side.run();
    sum += Stopwatch::ns(begin, Stopwatch::end());
    ++bursts;
  } while (Stopwatch::ns(start, Stopwatch::end()) < slice_ns);
  seat.ns = sum / (bursts * side.packets());
  // 3.
  seat.say(side.check());
}

// A worker's life, in a thread or as a process. The last thing it does is to say that it has left.
void serve(PathSide& side, Team& team, Seat& seat, int core, double slice_ns) {
  const bool pinned = pin_to(core);
  for (std::uint32_t turn = 1;; ++turn) {
    wait_on(seat.turn);
    if (seat.leave) break;
    if (pinned)
      work(side, team, seat, turn, slice_ns);
    else
      seat.say(fmt::format("core {} cannot be had", core));
    (void)::sem_post(&seat.done);
  }
}

std::string wrong_setup(const Error& error) {
  return "setup: " + error.message;
}

// Each worker has SAs of its own, and on a shared engine a queue of its own.
PathSettings settings_of(const PathSettings& path, std::size_t worker, bool spoil) {
  PathSettings own = path;
  own.first_sa = static_cast<std::uint32_t>(worker) * path.sas;
  own.spoil_result = spoil && worker == 0;
  return own;
}

}  // namespace

class Teams::Members {
 public:
  explicit Members(const TeamSettings& settings) : settings_(settings) {}
  ~Members() { leave(); }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  Result<void> start(const MakeEngine& engine);
  Result<double> slice(bool of_workers);

 private:
  Result<void> wait_for_process(std::size_t worker);
  Result<void> make_board();
  Result<void> start_processes(const MakeEngine& engine);
  Result<void> start_workers(const MakeEngine& engine);
  [[noreturn]] void be_process(const MakeEngine& engine, std::size_t worker);
  void leave();

  TeamSettings settings_;
  std::unique_ptr<Board, Unmap> board_;
  std::vector<pid_t> processes_;
  std::vector<std::unique_ptr<PathSide>> sides_;
  std::vector<std::thread> threads_;
};

Result<void> Teams::Members::make_board() {
  void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{fmt::format("two processes: {}", std::strerror(errno))};
  board_.reset(new (memory) Board);
  for (Team* team : {&board_->workers, &board_->processes}) {
    for (Seat& seat : team->seats) {
      if (::sem_init(&seat.turn, 1, 0) != 0 || ::sem_init(&seat.done, 1, 0) != 0)
        return Error{fmt::format("two processes: {}", std::strerror(errno))};
    }
  }
  return {};
}

// Says by `done` that it is there, or in `wrong` why it is not.
void Teams::Members::be_process(const MakeEngine& make, std::size_t worker) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Seat& seat = board_->processes.seats[worker];
  auto engine = make();
  auto helper = make();
  if (!engine || !helper) {
    seat.say(wrong_setup(engine ? helper.error() : engine.error()));
    (void)::sem_post(&seat.done);
    ::_exit(1);
  }
  auto side = PathSide::make(std::move(engine).value(), std::move(helper).value(),
                             settings_of(settings_.path, worker, settings_.spoil_processes));
  if (!side) seat.say(wrong_setup(side.error()));
  (void)::sem_post(&seat.done);
  if (side) serve(**side, board_->processes, seat, settings_.cores[worker], settings_.slice_ns);
  ::_exit(side ? 0 : 1);
}

// A process that ended, whoever ended it, would be waited for without end: it is looked after each second.
Result<void> Teams::Members::wait_for_process(std::size_t worker) {
  Seat& seat = board_->processes.seats[worker];
  for (;;) {
    timespec until{};
    (void)::clock_gettime(CLOCK_REALTIME, &until);
    ++until.tv_sec;
    if (::sem_timedwait(&seat.done, &until) == 0) return {};
    if (errno != ETIMEDOUT) continue;
    pid_t& pid = processes_[worker];
    if (pid > 0 && ::waitpid(pid, nullptr, WNOHANG) == 0) continue;
    if (::sem_trywait(&seat.done) == 0) return {};
    pid = 0;
    return Error{fmt::format("process {} ended by itself", worker + 1)};
  }
}

Result<void> Teams::Members::start_processes(const MakeEngine& engine) {
  for (std::size_t i = 0; i < team_size; ++i) {
    const pid_t pid = ::fork();
    if (pid < 0) return Error{fmt::format("two processes: {}", std::strerror(errno))};
    if (pid == 0) be_process(engine, i);
    processes_.push_back(pid);
    if (auto there = wait_for_process(i); !there) return there;
    const Seat& seat = board_->processes.seats[i];
    if (seat.wrong[0] != '\0') return Error{fmt::format("process {}: {}", i + 1, seat.wrong)};
  }
  return {};
}

Result<void> Teams::Members::start_workers(const MakeEngine& make) {
  std::shared_ptr<EngineRig> rigs[2];
  for (auto& rig : rigs) {
    auto engine = make();
    if (!engine) return engine.error();
    auto made = EngineRig::make(std::move(engine).value(), team_size * slots_of(settings_.path), team_size);
    if (!made) return made.error();
    rig = std::move(made).value();
  }
  for (std::size_t i = 0; i < team_size; ++i) {
    auto side = PathSide::make_on(rigs[0], rigs[1], settings_of(settings_.path, i, settings_.spoil_workers),
                                  QueueId{static_cast<std::uint16_t>(i)});
    if (!side) return side.error();
    sides_.push_back(std::move(side).value());
  }
  for (std::size_t i = 0; i < team_size; ++i)
    threads_.emplace_back([this, i] {
      serve(*sides_[i], board_->workers, board_->workers.seats[i], settings_.cores[i], settings_.slice_ns);
    });
  return {};
}

// Processes first: a fork copies one thread only.
Result<void> Teams::Members::start(const MakeEngine& engine) {
  if (auto made = make_board(); !made) return made;
  if (auto started = start_processes(engine); !started) return started;
  return start_workers(engine);
}

Result<double> Teams::Members::slice(bool of_workers) {
  Team& team = of_workers ? board_->workers : board_->processes;
  for (Seat& seat : team.seats) (void)::sem_post(&seat.turn);
  for (std::size_t i = 0; i < team_size; ++i) {
    if (of_workers)
      wait_on(team.seats[i].done);
    else if (auto there = wait_for_process(i); !there)
      return there.error();
  }
  double rate = 0;
  for (std::size_t i = 0; i < team_size; ++i) {
    const Seat& seat = team.seats[i];
    if (seat.wrong[0] != '\0')
      return Error{fmt::format("{} {}: {}", of_workers ? "worker" : "process", i + 1, seat.wrong)};
    rate += 1 / std::max(seat.ns, 1e-3);
  }
  return 1 / rate;
}

void Teams::Members::leave() {
  if (!board_) return;
  for (Team* team : {&board_->workers, &board_->processes}) {
    for (Seat& seat : team->seats) {
      seat.leave = true;
      (void)::sem_post(&seat.turn);
    }
  }
  for (std::thread& thread : threads_) thread.join();
  for (const pid_t pid : processes_)
    while (pid > 0 && ::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Teams::Teams(std::unique_ptr<Members> members) : members_(std::move(members)) {}
Teams::~Teams() = default;

Result<std::unique_ptr<Teams>> Teams::start(const MakeEngine& engine, const TeamSettings& settings) {
  auto members = std::make_unique<Members>(settings);
  if (auto started = members->start(engine); !started) return started.error();
  return std::unique_ptr<Teams>(new Teams(std::move(members)));
}

Result<double> Teams::workers_slice() {
  return members_->slice(true);
}

Result<double> Teams::processes_slice() {
  return members_->slice(false);
}

}  // namespace linecrypt::bench
