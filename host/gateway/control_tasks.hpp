// ControlTasks: what other threads (the API's) ask the control thread to do, in order.
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>

#include "host/gateway/api/server.hpp"
#include "host/gateway/runtime.hpp"

namespace linecrypt::gateway {

class ControlTasks {
 public:
  // `wakeup` is an eventfd that the control thread waits on.
  explicit ControlTasks(int wakeup) : wakeup_(wakeup) {}

  // Any thread but the control thread: runs `task` there and returns its answer; none when it did not come within
  // `seconds`, or the gateway is ending.
  std::optional<api::Answer> run(std::function<api::Answer()> task, int seconds);
  // Control thread.
  void serve();
  void close();

 private:
  int wakeup_;
  std::mutex mutex_;
  bool closed_ = false;
  std::deque<std::packaged_task<api::Answer()>> tasks_;
};

}  // namespace linecrypt::gateway
