#include "host/gateway/control_tasks.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace linecrypt::gateway {

std::optional<api::Answer> ControlTasks::run(std::function<api::Answer()> task, int seconds) {
  std::packaged_task<api::Answer()> packaged(std::move(task));
  std::future<api::Answer> result = packaged.get_future();
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return std::nullopt;
    tasks_.push_back(std::move(packaged));
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wakeup_, &one, sizeof one));
  if (result.wait_for(std::chrono::seconds(seconds)) != std::future_status::ready) return std::nullopt;
  try {
    return result.get();
  } catch (const std::exception&) {
    return std::nullopt;  // dropped by close()
  }
}

void ControlTasks::serve() {
  while (true) {
    std::packaged_task<api::Answer()> task;
    {
      const std::scoped_lock lock(mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void ControlTasks::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  tasks_.clear();
}

}  // namespace linecrypt::gateway
