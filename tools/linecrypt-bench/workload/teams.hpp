// Teams: two workers on one engine in this process, and beside them two processes with an engine and a worker each.
// What the two workers lose to those is what they share: cache lines, locks, one engine's memory.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "tools/linecrypt-bench/workload/path_side.hpp"

namespace linecrypt::bench {

struct TeamSettings {
  PathSettings path;             // of each worker; spoil_result is not looked at
  std::array<int, 2> cores{};    // one a worker, the same ones for both teams
  double slice_ns = 1e6;         // how long both workers of a team run at once
  bool spoil_workers = false;    // a planted fault in the team of two workers
  bool spoil_processes = false;  // a planted fault in the team of two processes
};

class Teams {
 public:
  // Closed engines, one a call; called in the processes, too.
  using MakeEngine = std::function<Result<std::unique_ptr<Engine>>()>;
  // Starts the processes, then the threads; all wait without using a core. They end with this object, the processes
  // also when this process is killed.
  static Result<std::unique_ptr<Teams>> start(const MakeEngine& engine, const TeamSettings& settings);
  ~Teams();
  Teams(const Teams&) = delete;
  Teams& operator=(const Teams&) = delete;

  // One team works for a slice while the other one waits. Nanoseconds a packet of the team: one over the sum of both
  // workers' packet rates, each over the time of its bursts. Results are checked as in a comparison of sides.
  Result<double> workers_slice();
  Result<double> processes_slice();

 private:
  class Members;
  explicit Teams(std::unique_ptr<Members> members);
  std::unique_ptr<Members> members_;
};

}  // namespace linecrypt::bench
