// ServiceThread: calls a function every few milliseconds, on a control thread of the EAL's (it stays off the lcores).
// Not an alarm of the EAL's: those share one thread with all interrupts of the application, and a failover may take a
// while.
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace linecrypt::dpdk {

class ServiceThread {
 public:
  // False: the system gives no thread.
  bool start(std::chrono::milliseconds every, std::function<void()> work);
  // The next call is now.
  void wake();
  // Waits for the call that is under way.
  void stop();
  ServiceThread() = default;
  ~ServiceThread() { stop(); }
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;

 private:
  static void* run(void* self);

  std::chrono::milliseconds every_{};
  std::function<void()> work_;
  pthread_t thread_{};
  bool started_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool woken_ = false;
};

}  // namespace linecrypt::dpdk
